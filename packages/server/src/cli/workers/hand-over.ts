/** Connections on their way from the primary to a worker, so that no caller waits for one who will never answer. */
import type { Worker } from 'node:cluster'

export interface HandOver {
  /** From now on all workers end: a connection that this one sends back is closed, for no other one takes it. */
  end(): void
}

/**
 * Closes what a worker was given and never took. Node's cluster holds a connection open in the primary until a worker
 * says that it has it. Where the worker dies before, or sends it back when no other is left, it would stay so for ever.
 */
export function watchHandOver({ process: child }: Worker): HandOver {
  const onTheirWay = new Map<unknown, Connection>()
  let isEnding = false
  const { send } = child
  child.send = (...sent: unknown[]): boolean => {
    const [message, connection] = sent
    if (isConnection(connection)) onTheirWay.set(field(message, 'seq'), connection)
    return Reflect.apply(send, child, sent)
  }
  child.on('internalMessage', (message: unknown) => {
    const number = field(message, 'ack')
    if (isEnding && field(message, 'accepted') === false) onTheirWay.get(number)?.close()
    onTheirWay.delete(number)
  })
  child.once('exit', function closeAll() {
    // What the worker said last may still be unread. There is no event to wait for: a handle on its way holds it back.
    if (child.connected) return void setImmediate(closeAll)
    for (const connection of onTheirWay.values()) connection.close()
  })
  return {
    end() {
      isEnding = true
    },
  }
}

interface Connection {
  close(): void
}

function isConnection(value: unknown): value is Connection {
  return typeof value === 'object' && value !== null && 'close' in value && typeof value.close === 'function'
}

/** Of the cluster's own messages: `seq` numbers one that wants an answer, `ack` is the number that an answer is for. */
function field(message: unknown, name: 'seq' | 'ack' | 'accepted'): unknown {
  return typeof message === 'object' && message !== null ? Reflect.get(message, name) : undefined
}

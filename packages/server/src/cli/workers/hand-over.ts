/** Connections on their way from the primary to a worker, so that none is forgotten when the worker dies. */
import type { Worker } from 'node:cluster'

/**
 * Closes what a worker was given and never took. Node's cluster holds a connection open in the primary until the worker
 * says that it has it; where the worker dies before, its caller would wait for ever, and the primary keep a file open.
 */
export function closeLostConnections({ process: child }: Worker): void {
  const onTheirWay = new Map<unknown, Connection>()
  const { send } = child
  child.send = (...sent: unknown[]): boolean => {
    const [message, connection] = sent
    if (isClosable(connection)) onTheirWay.set(field(message, 'seq'), connection)
    return Reflect.apply(send, child, sent)
  }
  child.on('internalMessage', (message: unknown) => onTheirWay.delete(field(message, 'ack')))
  child.once('exit', function closeAll() {
    // What the worker said last may still be unread. There is no event to wait for: a handle on its way holds it back.
    if (child.connected) return void setImmediate(closeAll)
    for (const connection of onTheirWay.values()) connection.close()
  })
}

interface Connection {
  close(): void
}

function isClosable(value: unknown): value is Connection {
  return typeof value === 'object' && value !== null && 'close' in value && typeof value.close === 'function'
}

/** Of the cluster's own messages: `seq` numbers one that wants an answer, `ack` is the number that an answer is for. */
function field(message: unknown, name: 'seq' | 'ack'): unknown {
  return typeof message === 'object' && message !== null ? Reflect.get(message, name) : undefined
}

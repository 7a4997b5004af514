/** `latchkey serve [addr:port]`, Django's `runserver`: the HTTP server, until it is told to stop. */
import { Command } from 'commander'
import { createApp } from '../../http/app.js'
import { type RunningServer, serve } from '../../http/serve.js'
import { withLatchkey } from '../open.js'
import { CommandError, type Io, note } from '../output.js'
import { type LoadedSettings, loadSettings, withSettings } from '../session.js'
import { findUrlpatterns } from '../urls.js'
import { UsageError } from '../usage.js'

export function serveCommand(io: Io): Command {
  const command = new Command('serve')
    .alias('runserver')
    .description('serve the project over HTTP until SIGINT or SIGTERM')
    .argument('[addr:port]', 'where to listen: 8000, 0.0.0.0:8000 or [::1]:8000')
    .action(async (address: string | undefined) => {
      const settings = await loadSettings(
        io,
        command,
        address === undefined ? {} : parseAddress(command, address),
      )
      await withLatchkey(io, settings, async ({ latchkey }) => {
        const app = createApp(latchkey, await findUrlpatterns(io, settings))
        const server = await listen(app, settings)
        note(io, `Latchkey listens on ${server.url}/ (Ctrl-C stops it)`)
        await stopSignal()
        note(io, 'Stopping.')
        await server.close()
      })
    })
  return withSettings(command, 'serve')
}

/** Django's `addrport`: a port, or an address and a port. Both are checked as the flags are. */
function parseAddress(command: Command, text: string): { readonly host?: string; readonly port: string } {
  const match = /^(?:(?:\[([^\]]+)\]|([^:]+)):)?(\d+)$/.exec(text)
  const [, ipv6, name, port] = match ?? []
  if (port === undefined) {
    throw new UsageError(command, `"${text}" is not a valid port number or address:port pair.`)
  }
  const host = ipv6 ?? name
  return host === undefined ? { port } : { host, port }
}

/** What the system says when it does not let us listen. */
const LISTEN_TROUBLE: Readonly<Record<string, string>> = {
  EADDRINUSE: 'that port is already in use: stop the other server, or choose another port',
  EACCES: 'no right to use that port: choose one above 1023',
  EADDRNOTAVAIL: 'this machine does not have that address',
  ENOTFOUND: 'there is no such address',
}

async function listen(app: ReturnType<typeof createApp>, { values }: LoadedSettings): Promise<RunningServer> {
  const { host, port, requestTimeoutSeconds, shutdownSeconds } = values
  try {
    return await serve({ app, host, port, requestTimeoutSeconds, shutdownSeconds })
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    const trouble = LISTEN_TROUBLE[code]
    throw trouble === undefined ? error : new CommandError(`${host}:${port}: ${trouble}`, { cause: error })
  }
}

/** Resolves at the first SIGINT or SIGTERM; a second one ends the process in the system's way. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    const stop = () => {
      process.off('SIGINT', stop).off('SIGTERM', stop)
      resolve()
    }
    process.on('SIGINT', stop).on('SIGTERM', stop)
  })
}

/** `latchkey serve [addr:port]`, Django's `runserver`: the HTTP server, in one process or several, until it is told to stop. */
import cluster from 'node:cluster'
import { Command } from 'commander'
import { createApp } from '../../http/app.js'
import { type RunningServer, serve } from '../../http/serve.js'
import { hasWeakSecret, trustsStrangers } from '../checks.js'
import { type Opened, withLatchkey } from '../open.js'
import { CommandError, type Io, note } from '../output.js'
import { sealingTrouble } from '../sealing.js'
import { type LoadedSettings, loadSettings, withSettings } from '../session.js'
import { stopSignal } from '../stop-signal.js'
import { hidesBehindUnnamedProxy, UNNAMED_PROXY_HINT } from '../unnamed-proxy.js'
import { findUrlpatterns } from '../urls.js'
import { UsageError } from '../usage.js'
import { supervise } from '../workers/primary.js'
import { hashShare, workerCount } from '../workers/share.js'
import { asWorker, isWorker, obey } from '../workers/worker.js'

export function serveCommand(io: Io): Command {
  const command = new Command('serve')
    .alias('runserver')
    .description('serve the project over HTTP until SIGINT or SIGTERM')
    .argument('[addr:port]', 'where to listen: 8000, 0.0.0.0:8000 or [::1]:8000')
    .action((address: string | undefined) => {
      io.goOnUnheard?.()
      const load = () =>
        loadSettings(io, command, address === undefined ? {} : parseAddress(command, address))
      return isWorker(io) ? asWorker(async () => serveAsWorker(io, await load())) : serveOrSupervise(io, load)
    })
  return withSettings(command, 'serve')
}

async function serveOrSupervise(io: Io, load: () => Promise<LoadedSettings>): Promise<void> {
  const settings = await load()
  warnOfProxies(io, settings)
  // Below another program's cluster there is nothing to start: that program decides how many processes there are.
  if (cluster.isPrimary && workerCount(settings.values.workers) > 1) return supervise(io)
  await withServer(io, settings, async (server) => {
    note(io, `Latchkey listens on ${server.url}/ (Ctrl-C stops it)`)
    await stopSignal()
    note(io, 'Stopping.')
    await server.close()
  })
}

/** On a developer's machine callers are on the same machine, and no proxy is missing. */
function warnOfProxies(io: Io, settings: LoadedSettings): void {
  const mistake = settings.values.environment === 'production' ? hidesBehindUnnamedProxy(settings) : null
  if (mistake !== null) note(io, `Warning: ${mistake} To change it, ${UNNAMED_PROXY_HINT}.`)
}

function serveAsWorker(io: Io, settings: LoadedSettings): Promise<void> {
  const { values } = settings
  const workers = workerCount(values.workers)
  const passwordHashConcurrency = values.passwordHashConcurrency ?? hashShare(workers)
  const shared = { ...settings, values: { ...values, passwordHashConcurrency } }
  return withServer(io, shared, (server) =>
    obey(server, { url: server.url, workers, shutdownSeconds: values.shutdownSeconds }),
  )
}

/** Serves the project until `work` resolves, which has closed the server by then. */
async function withServer(
  io: Io,
  settings: LoadedSettings,
  work: (server: RunningServer) => Promise<void>,
): Promise<void> {
  const run = async ({ latchkey }: Opened) => {
    const app = createApp(latchkey, await findUrlpatterns(io, settings))
    await warn(io, settings, latchkey)
    await work(await listen(app, settings))
  }
  await withLatchkey(io, settings, run, 'server')
}

/** What `latchkey check` says too, for those who never run it. A server that only verifies can do without its secret. */
async function warn(io: Io, settings: LoadedSettings, latchkey: Opened['latchkey']): Promise<void> {
  const warnings = [
    await hasWeakSecret(settings, io),
    trustsStrangers(settings),
    await sealingTrouble(latchkey).then((trouble) => trouble && `${trouble}: see \`latchkey check\`.`),
  ]
  for (const warning of warnings) if (warning !== null) note(io, `Warning: ${warning}`)
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

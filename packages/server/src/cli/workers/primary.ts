/**
 * The primary of `serve --workers`: starts workers, replaces those that die, renews all of them at SIGHUP, ends them at
 * SIGINT or SIGTERM. It has the port and nothing else: no database, no secret, no request.
 */
import { setTimeout as after } from 'node:timers/promises'
import { EXIT, Exit, type ExitCode, type Io, note } from '../output.js'
import { stopSignal } from '../stop-signal.js'
import { type Ending, endingText, type Member, startMember } from './member.js'

/**
 * Serves until it is told to stop.
 * @param onListening called once, when the first workers listen
 * @throws Exit when the first workers do not start: they have said why
 */
export async function supervise(io: Io, onListening: () => void): Promise<void> {
  const primary = new Primary(io)
  // Windows sends it when the console closes, and then ends the process.
  if (process.platform !== 'win32') process.on('SIGHUP', () => void primary.reload())
  await primary.start()
  onListening()
  await stopSignal()
  note(io, 'Stopping.')
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      primary.killAll()
      process.kill(process.pid, signal)
    })
  }
  await primary.stop()
}

/** A worker that served for less died at once. */
const SETTLED_MS = 5000
/** How long the first of several workers that die at once is waited for; twice as long each time. */
const FIRST_DELAY_MS = 500
const LONGEST_DELAY_MS = 30_000
/** What a worker gets beyond its `shutdownSeconds`, to write what it has counted, before it is killed. */
const GRACE_SECONDS = 10

class Primary {
  readonly #io: Io
  readonly #alive = new Set<Member>()
  /** Those that are replaced when they die. A reload puts another set in its place. */
  #serving = new Set<Member>()
  #url = ''
  #quickDeaths = 0
  readonly #stopping = new AbortController()
  #turn: Promise<Ending | null> = Promise.resolve(null)
  #isReloadQueued = false

  constructor(io: Io) {
    this.#io = io
  }

  async start(): Promise<void> {
    this.#turn = this.#renew()
    const failure = await this.#turn
    if (failure === null) return
    this.#stopping.abort()
    throw new Exit(exitCodeOf(this.#io, failure))
  }

  /** New workers first, then the old ones drain. A reload that waits for its turn serves all who asked meanwhile. */
  async reload(): Promise<void> {
    if (this.#isReloadQueued) return
    this.#isReloadQueued = true
    await this.#turn
    this.#isReloadQueued = false
    if (this.#isStopping) return
    this.#turn = this.#renew()
    const failure = await this.#turn
    if (this.#isStopping) return
    note(this.#io, failure === null ? 'Reloaded.' : 'Not reloaded: the workers before it serve on.')
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await Promise.all([...this.#alive].map((member) => this.#dismiss(member, 'stop')))
  }

  killAll(): void {
    for (const member of this.#alive) member.kill()
  }

  /**
   * Puts a new generation in the place of the one that serves; returns why it could not. Its first worker starts alone:
   * what keeps it from starting is said once, and a secret that development makes is made once.
   */
  async #renew(): Promise<Ending | null> {
    const first = this.#startMember()
    const report = await first.ready
    if (report === null) return first.ended
    const rest = Array.from({ length: this.#isStopping ? 0 : report.workers - 1 }, () => this.#startMember())
    const members = [first, ...rest]
    const reports = await Promise.all(rest.map(({ ready }) => ready))
    if (reports.includes(null) || this.#isStopping) {
      for (const member of members) void this.#dismiss(member, 'drain')
      return (rest[reports.indexOf(null)] ?? first).ended
    }
    const before = this.#serving
    this.#serving = new Set(members)
    this.#quickDeaths = 0
    for (const member of members) this.#keep(member)
    this.#announce(report.url)
    for (const member of before) void this.#dismiss(member, 'drain')
    return null
  }

  get #isStopping(): boolean {
    return this.#stopping.signal.aborted
  }

  #startMember(): Member {
    const member = startMember()
    this.#alive.add(member)
    void member.ended.then(() => this.#alive.delete(member))
    return member
  }

  /** Replaces a worker when it dies, as long as its generation serves; later each time when one after the other dies at once. */
  #keep(member: Member): void {
    const generation = this.#serving
    const isNeeded = () => generation === this.#serving && !this.#isStopping
    void member.ended.then(async (ending) => {
      generation.delete(member)
      if (!isNeeded()) return
      this.#quickDeaths = member.servedMs() < SETTLED_MS ? this.#quickDeaths + 1 : 0
      const delayMs = delayAfter(this.#quickDeaths)
      const when = delayMs === 0 ? '' : ` in ${delayMs / 1000} s`
      note(this.#io, `${member.name} ended (${endingText(ending)}); another one takes its place${when}.`)
      await after(delayMs, undefined, { signal: this.#stopping.signal }).catch(() => undefined)
      if (!isNeeded()) return
      const next = this.#startMember()
      generation.add(next)
      this.#keep(next)
      const report = await next.ready
      if (report !== null && isNeeded()) this.#announce(report.url)
    })
  }

  /** Once, unless the address changes: with a reload, or because any free port was asked for and no worker was left. */
  #announce(url: string): void {
    if (url === this.#url) return
    this.#url = url
    note(this.#io, `Latchkey listens on ${url}/ (Ctrl-C stops it)`)
  }

  async #dismiss(member: Member, order: 'drain' | 'stop'): Promise<void> {
    member.tell(order)
    const giveUp = setTimeout(() => member.kill(), (member.shutdownSeconds + GRACE_SECONDS) * 1000)
    await member.ended
    clearTimeout(giveUp)
  }
}

function delayAfter(quickDeaths: number): number {
  return quickDeaths < 2 ? 0 : Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (quickDeaths - 2))
}

/** A worker that ended by itself has said why; its exit code is the command's. */
function exitCodeOf(io: Io, ending: Ending): ExitCode {
  const code = Object.values(EXIT).find((known) => known !== EXIT.ok && known === ending.code)
  if (code === undefined) note(io, `A worker ended before it served (${endingText(ending)}).`)
  return code ?? EXIT.crashed
}

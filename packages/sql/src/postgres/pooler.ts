/** Finds out whether an address leads to a pooler that gives a connection to another client after each transaction. */

/** Said wherever it shows that there is such a pooler. */
export const TRANSACTION_POOLER =
  'a pooler in transaction mode is in between: set transactionPooler: true (LATCHKEY_TRANSACTION_POOLER)'

/** Two connections are asked in this order, so that neither a stack nor a ring of server processes passes for sessions. */
const ORDER = [0, 1, 1, 0, 0, 1, 1, 0, 1, 1, 0, 0] as const

/** Whether the server process itself took the connection: a pooler makes up the process id that it reports. */
export function isDirect(client: { readonly processID?: number | null }, pid: number): boolean {
  return client.processID === pid
}

/**
 * Whether two open connections are sessions: each keeps its server process, and they do not share one. Of a pooler in
 * transaction mode both get the process that is free. Nothing is set or prepared for this: it would stay behind in
 * sessions of other clients.
 */
export async function areSessions(
  pidOf: readonly [() => Promise<number>, () => Promise<number>],
): Promise<boolean> {
  const pids: [number?, number?] = []
  for (const which of ORDER) {
    const pid = await pidOf[which]()
    if (pids[which] !== undefined && pids[which] !== pid) return false
    pids[which] = pid
    if (pids[0] === pids[1]) return false
  }
  return true
}

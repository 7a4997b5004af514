/** The credentials of the run and what is known of each: when it was given out, and since when it must be refused. */

/** What takes a right away, the kind of credential it needs, and what must answer 401 or 403 from then on. */
export const NARROWINGS = [
  { name: 'revoke', kind: 'token', path: '/hello/' },
  { name: 'rotate', kind: 'token', path: '/hello/' },
  { name: 'narrow', kind: 'token', path: '/orders/' },
  { name: 'deactivate', kind: 'token', path: '/hello/' },
  { name: 'deactivate', kind: 'jwt', path: '/hello/' },
  { name: 'logoutEverywhere', kind: 'jwt', path: '/hello/' },
]

let users = 0

/** A new user with one credential, given out by a node and acknowledged. */
export async function issue(node, narrowing) {
  users += 1
  const { id: userId } = await node.control('user', { username: `user-${process.pid}-${users}` })
  const { id, authorization } = await node.control(narrowing.kind, { userId, scopes: ['orders:*'] })
  return {
    narrowing,
    userId,
    id,
    authorization,
    issuedAtMs: performance.now(),
    /** When the order to narrow it was sent: from here on either answer is right. */
    orderedAtMs: Number.POSITIVE_INFINITY,
    /** When the order was acknowledged. */
    refusedFromMs: Number.POSITIVE_INFINITY,
  }
}

/** Takes the right away. @returns whether it was acknowledged; if not, nothing is known of it any more */
export async function narrow(node, credential) {
  const { narrowing, id, userId } = credential
  credential.orderedAtMs = performance.now()
  try {
    await node.control(narrowing.name, { id, userId })
  } catch {
    return false
  }
  credential.refusedFromMs = performance.now()
  return true
}

/**
 * Asks with the credential, and judges the answer.
 * @returns {Promise<{ sentAtMs: number, status: number, fault: string | null }>} status 0: no answer
 */
export async function present(node, credential, boundMs) {
  const { narrowing, authorization } = credential
  const sentAtMs = performance.now()
  let status = 0
  try {
    status = (await node.ask(narrowing.path, { headers: { authorization } })).status
  } catch {
    // A killed node answers nobody.
  }
  return { sentAtMs, status, fault: faultOf(credential, status, sentAtMs, performance.now(), boundMs) }
}

function faultOf({ refusedFromMs, orderedAtMs }, status, sentAtMs, answeredAtMs, boundMs) {
  const wasLive = answeredAtMs < orderedAtMs
  if (status === 200) {
    const lateMs = sentAtMs - refusedFromMs
    return lateMs > boundMs ? `accepted ${lateMs.toFixed(1)} ms after it was taken away` : null
  }
  if (status === 401 || status === 403) return wasLive ? `a live credential was refused with ${status}` : null
  return status === 0 || status === 503 ? null : `answered with ${status}`
}

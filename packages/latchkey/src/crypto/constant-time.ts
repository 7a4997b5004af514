/** Comparison whose time tells nothing about where two secrets differ. A leaf. */
import { hash, timingSafeEqual } from 'node:crypto'

/** Whether two texts are equal; both are hashed first, so that their lengths do not show either. */
export function constantTimeEqual(a: string, b: string): boolean {
  return timingSafeEqual(hash('sha256', a, 'buffer'), hash('sha256', b, 'buffer'))
}

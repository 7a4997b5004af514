import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { eventEmitter, type LatchkeyEvent } from './events.js'

const EVENT: LatchkeyEvent = { kind: 'user_login_failed', username: 'vitor', address: '127.0.0.1' }

describe('eventEmitter', () => {
  it('tells the listener while the caller waits', () => {
    const heard: LatchkeyEvent[] = []
    eventEmitter(
      (event) => heard.push(event),
      (error) => expect.unreachable(String(error)),
    )(EVENT)
    expect(heard).toEqual([EVENT])
  })

  it('tells onTrouble what a listener throws or rejects with, and nobody else', async () => {
    const troubles: unknown[] = []
    const failed = new Error('the listener failed')
    const onTrouble = (error: unknown, event: LatchkeyEvent) => troubles.push([error, event])
    eventEmitter(() => {
      throw failed
    }, onTrouble)(EVENT)
    eventEmitter(() => Promise.reject(failed), onTrouble)(EVENT)
    await setImmediate()
    expect(troubles).toEqual([
      [failed, EVENT],
      [failed, EVENT],
    ])
  })

  it('does nothing without a listener', () => {
    expect(() => eventEmitter(undefined, () => expect.unreachable())(EVENT)).not.toThrow()
  })
})

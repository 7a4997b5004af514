/** `latchkey/testing`: what the authors of stores, and of apps that use Latchkey, need for their own tests. */
export { actingAs } from './acting-as.js'
export { type FakeRequestOptions, fakeRequest } from './fake-request.js'
export { type FixedClock, fixedClock } from './fixed-clock.js'
export { type TestFramework, testStore } from './test-store.js'

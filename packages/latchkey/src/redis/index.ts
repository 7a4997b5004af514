/** `latchkey/redis`: counters and the broadcast over Redis, with a client of `ioredis` or of `redis`. */
export {
  type RedisBroadcastOptions,
  type RedisConnection,
  type RedisSubscriber,
  redisBroadcast,
} from './broadcast.js'
export type { RedisClient } from './client.js'
export { type RedisCountersOptions, redisCounters } from './counters.js'

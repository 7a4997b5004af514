/**
 * What counters do inside of Redis. The events of a key are a sorted set: the score is the moment, the member is
 * `moment:count`. Every key ends by itself.
 */
import { script } from './client.js'

/** Lua. */
const COMMON = `
-- How far the clocks of processes may lie apart before an old event is forgotten too early.
local SLACK = 60000

-- The youngest events that it takes to reach maxCount, as moments and counts in turn; and whether they reach it.
local function youngest(key, maxCount, periodMs, nowMs)
  local from, to = string.format('(%.17g', nowMs + periodMs), string.format('(%.17g', nowMs - periodMs)
  local events, room = {}, maxCount
  for _, member in ipairs(redis.call('ZREVRANGEBYSCORE', key, from, to, 'LIMIT', 0, maxCount)) do
    local at, count = string.match(member, '^(.*):(%d+)$')
    events[#events + 1] = at
    events[#events + 1] = count
    room = room - tonumber(count)
    if room <= 0 then break end
  end
  return events, room <= 0
end

local function add(key, at, count, periodMs, nowMs)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('%.17g', nowMs - periodMs - SLACK))
  local there = redis.call('ZRANGEBYSCORE', key, at, at)[1]
  if there then
    redis.call('ZREM', key, there)
    count = count + tonumber(string.match(there, ':(%d+)$'))
  end
  redis.call('ZADD', key, at, at .. ':' .. string.format('%d', count))
  local ttl = math.ceil(tonumber(at) + periodMs + SLACK - nowMs)
  if redis.call('PTTL', key) < ttl then redis.call('PEXPIRE', key, string.format('%d', ttl)) end
end
`

/** ARGV: maxCount, period, now, '1' to record. Answers whether it is allowed, and the moment that is then in the way. */
export const HIT = script(`${COMMON}
local key, maxCount, periodMs, now = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local events, full = youngest(key, maxCount, periodMs, tonumber(now))
local allowed = full and '0' or '1'
if not full and ARGV[4] == '1' then
  add(key, now, 1, periodMs, tonumber(now))
  events, full = youngest(key, maxCount, periodMs, tonumber(now))
end
return {allowed, full and events[#events - 1] or ''}
`)

/** ARGV: the moment of one event, which goes. */
export const UNDO = script(`
local key, at = KEYS[1], ARGV[1]
local there = redis.call('ZRANGEBYSCORE', key, at, at)[1]
if not there then return 0 end
local count = tonumber(string.match(there, ':(%d+)$')) - 1
redis.call('ZREM', key, there)
if count > 0 then redis.call('ZADD', key, at, at .. ':' .. string.format('%d', count)) end
return 1
`)

/** ARGV: now, and JSON: of each key maxCount, period and what is new as [moment, count], the moment as text. */
export const MERGE = script(`${COMMON}
local nowMs, batch, answer = tonumber(ARGV[1]), cjson.decode(ARGV[2]), {}
for index, news in ipairs(batch) do
  for _, event in ipairs(news[3]) do add(KEYS[index], event[1], event[2], news[2], nowMs) end
end
for index, news in ipairs(batch) do answer[index] = youngest(KEYS[index], news[1], news[2], nowMs) end
return answer
`)

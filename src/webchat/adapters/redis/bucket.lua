-- A token bucket: KEYS[1] holds `tokens` as of `at_ms`; a bucket that is full is no key at all.
-- ARGV: tokens a minute, burst, and how many to take (-1: give one back).
-- Returns 0, or the milliseconds until there is enough; then nothing was taken.
-- Time is this server's, so nodes whose clocks differ count alike.

local per_ms = tonumber(ARGV[1]) / 60000
local burst = tonumber(ARGV[2])
local amount = tonumber(ARGV[3])
local rounding = 1e-9

local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local kept = redis.call('HMGET', KEYS[1], 'tokens', 'at_ms')
local elapsed_ms = math.max(0, now_ms - (tonumber(kept[2]) or now_ms))
local tokens = math.min(burst, (tonumber(kept[1]) or burst) + elapsed_ms * per_ms)

if tokens < amount - rounding then
  return math.ceil((amount - tokens - rounding) / per_ms)
end

tokens = math.min(burst, tokens - amount)
if tokens >= burst - rounding then
  redis.call('DEL', KEYS[1])
else
  redis.call('HSET', KEYS[1], 'tokens', string.format('%.17g', tokens),
    'at_ms', string.format('%d', now_ms))
  redis.call('PEXPIRE', KEYS[1], math.ceil((burst - tokens) / per_ms))
end
return 0

import { sha256 } from '../core/documents/document.ts'
import type { Client } from './client.ts'
import { takeShared } from './shared-buckets.ts'
import { NOW, type SharedCounts, script } from './shared-counts.ts'
import { type Bound, binds, type FollowedTarget, hostOf } from './upstream-bounds.ts'
import { type Leave, MAX_FOLLOWED, type UpstreamRate } from './upstream-rate.ts'

/** How often a process renews its subscriptions, in milliseconds: well below their expiry. */
const RENEW_MS = 10_000
/** Subscriptions renewed in one command. */
const RENEWED_AT_ONCE = 500
const UNLIMITED = -1

/** A client's subscriptions, each with the time until which it counts: `KEYS[1]`. */
const FOLLOW = script(`${NOW}
local member, host, more, kept = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local perHost, inAll, most = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if not redis.call('ZSCORE', KEYS[1], member) then
  local ofHost, all, count = 0, 0, 0
  for _, each in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
    local rate, its = string.match(each, '^(%S+) (%S+) ')
    all = all + tonumber(rate)
    count = count + 1
    if its == host then ofHost = ofHost + tonumber(rate) end
  end
  if perHost >= 0 and ofHost + more > perHost then return { 1, tostring(ofHost) } end
  if inAll >= 0 and all + more > inAll then return { 2, tostring(all) } end
  if count >= most then return { 3, '0' } end
end
redis.call('ZADD', KEYS[1], now + kept, member)
redis.call('PEXPIRE', KEYS[1], kept)
return { 0, '0' }`)

const RENEW = script(`${NOW}
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[i]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 0`)

interface Subscription {
  client: Client
  member: string
  subscribers: number
  /** Whether the shared count allows it. */
  asked: Promise<void>
}

/**
 * {@link UpstreamRate} of all processes together: what this process's own count allows is counted in Redis, too, if there is
 * one. A subscription counts there for as long as its process renews it, so that those of a killed process end like any other.
 */
export class SharedUpstreamRate {
  readonly #own: UpstreamRate
  readonly #shared: SharedCounts | undefined
  /** Those with subscribers here, by client and target. */
  readonly #open = new Map<string, Subscription>()
  readonly #timer: Timer | undefined

  constructor(own: UpstreamRate, shared: SharedCounts | undefined) {
    this.#own = own
    this.#shared = shared
    this.#timer = shared && setInterval(() => void this.#renewAll(shared), RENEW_MS)
    this.#timer?.unref()
  }

  /** Counts one request to a URL. Clients without a limit pass. @throws TooOften */
  async take(client: Client | undefined, url: string): Promise<void> {
    this.#own.take(client, url)
    if (client !== undefined && this.#shared !== undefined) await this.#take(this.#shared, client, url)
  }

  /**
   * Counts a subscription. One to an API that already counts for the client adds nothing.
   * @returns ends the subscription; calling it again does nothing
   * @throws TooOften
   */
  async follow(client: Client | undefined, target: FollowedTarget): Promise<() => void> {
    const leaveOwn = this.#own.follow(client, target)
    const shared = this.#shared
    if (shared === undefined || client === undefined || !this.#own.bounds.isBound(client)) return leaveOwn
    const leaveShared = this.#join(shared, client, target)
    try {
      await leaveShared.asked
    } catch (error) {
      leaveShared.leave(true)
      leaveOwn(true)
      throw error
    }
    return () => {
      leaveShared.leave()
      leaveOwn()
    }
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #join(
    shared: SharedCounts,
    client: Client,
    target: FollowedTarget,
  ): { asked: Promise<void>; leave: Leave } {
    const key = `${client.key} ${target.key}`
    const open = this.#open.get(key) ?? {
      client,
      member: memberOf(target, this.#own.bounds.perSecondOf(target)),
      subscribers: 0,
      asked: this.#begin(shared, client, target),
    }
    open.subscribers++
    this.#open.set(key, open)
    let isOver = false
    const leave: Leave = (isUndone = false) => {
      if (isOver) return
      isOver = true
      if (--open.subscribers > 0) return
      this.#open.delete(key)
      if (!isUndone) void this.#renew(shared, client, [open.member])
    }
    return { asked: open.asked, leave }
  }

  async #begin(shared: SharedCounts, client: Client, target: FollowedTarget): Promise<void> {
    const { bounds } = this.#own
    const host = hostOf(target.url)
    const more = bounds.perSecondOf(target)
    await this.#take(shared, client, target.url)
    const limit = (bound: Bound | undefined) => (binds(bound, client) ? bound.rate.perSecond : UNLIMITED)
    const limits = [limit(bounds.perHost), limit(bounds.inAll), MAX_FOLLOWED]
    const values = [memberOf(target, more), host, more, bounds.keptMs, ...limits]
    const answer = await shared.run(FOLLOW, [followedKey(client)], values)
    if (answer === undefined) return
    const [refusedBy, used] = answer as [number, string]
    if (refusedBy === 1 && bounds.perHost) throw bounds.tooMuch(bounds.perHost, more, Number(used), host)
    if (refusedBy === 2 && bounds.inAll) throw bounds.tooMuch(bounds.inAll, more, Number(used))
    if (refusedBy === 3) throw bounds.tooMany(MAX_FOLLOWED)
  }

  async #take(shared: SharedCounts, client: Client, url: string): Promise<void> {
    const { bounds } = this.#own
    const host = hostOf(url)
    const all = [
      { bound: bounds.perHost, key: `upstream:${client.key} ${host}`, host },
      { bound: bounds.inAll, key: `upstream:${client.key}`, host: undefined },
    ].flatMap(({ bound, ...rest }) => (binds(bound, client) ? [{ bound, rate: bound.rate, ...rest }] : []))
    if (all.length === 0) return
    const taken = await takeShared(shared, all, 1)
    const refused = taken?.refusedBy === undefined ? undefined : all[taken.refusedBy]
    if (refused !== undefined) throw bounds.tooOften(refused.bound, taken?.waitMs ?? 0, refused.host)
  }

  async #renewAll(shared: SharedCounts): Promise<void> {
    for (const subscriptions of Map.groupBy(this.#open.values(), ({ client }) => client.key).values()) {
      const { client } = subscriptions[0] as Subscription
      for (let from = 0; from < subscriptions.length; from += RENEWED_AT_ONCE) {
        const part = subscriptions.slice(from, from + RENEWED_AT_ONCE)
        await this.#renew(
          shared,
          client,
          part.map(({ member }) => member),
        )
      }
    }
  }

  async #renew(shared: SharedCounts, client: Client, members: readonly string[]): Promise<void> {
    await shared.run(RENEW, [followedKey(client)], [this.#own.bounds.keptMs, ...members])
  }
}

function followedKey(client: Client): string {
  return `followed:${client.key}`
}

/** Only a digest of the target, which may contain secrets. */
function memberOf(target: FollowedTarget, perSecond: number): string {
  return `${perSecond} ${hostOf(target.url)} ${sha256(target.key)}`
}

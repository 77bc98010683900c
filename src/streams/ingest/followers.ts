import type { StreamKind } from '../../core/sets/stream-kinds.ts'
import { followNdjson } from './connection/follow-ndjson.ts'
import { followSse } from './connection/follow-sse.ts'
import type { FollowDeps } from './follow.ts'
import { followPoll } from './follow-poll.ts'
import type { Run, RunLog } from './run.ts'
import { followGraphql } from './websocket/follow-graphql.ts'
import { followWebsocket } from './websocket/follow-websocket.ts'

/** Follows a stream until the signal ends it. */
export type Follow = (run: Run, log: RunLog, signal: AbortSignal, deps: FollowDeps) => Promise<void>

/** How streams of each kind are followed. */
export const FOLLOWERS: Readonly<Record<StreamKind, Follow>> = {
  sse: followSse,
  ndjson: followNdjson,
  websocket: followWebsocket,
  graphql: followGraphql,
  poll: followPoll,
  // Nothing begins such a run: whoever receives a delivery stores it.
  push: async () => {},
}

import { type SQL, sql } from 'drizzle-orm'
import { PUSHED_KINDS } from '../../core/sets/stream-kinds.ts'

const PUSHED = PUSHED_KINDS.map((kind) => `'${kind}'`).join(', ')

/** Whether workers run a stream, for a statement with its own alias of `weir.streams`. */
export function isRun(name: 's' | 'stream' | 'streams'): SQL {
  return sql.raw(`${name}.kind NOT IN (${PUSHED})`)
}

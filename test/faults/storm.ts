import { FAULTS, type Planned, type Theatre } from './faults.ts'
import { partOf } from './plan.ts'
import type { Injected } from './takeover.ts'

/** Longest wait for the last fault to be over, in milliseconds. */
const OVER_MS = 60_000

export interface Storm {
  injected: Injected[]
  faults: string[]
}

/**
 * Injects what was planned, and waits until all of it is over.
 * @param tell is told of every fault as it happens, with the time since the first one's chance, in milliseconds
 */
export async function storm(
  theatre: Theatre,
  plan: readonly Planned[],
  tell: (sinceMs: number, text: string) => void,
): Promise<Storm> {
  const start = Date.now()
  const result: Storm = { injected: [], faults: [] }
  /** The last fault on each part: the next one waits for it. */
  const last = new Map<string, Promise<void>>()
  for (const planned of plan) {
    await Bun.sleep(Math.max(0, start + planned.atMs - Date.now()))
    const part = partOf(kindOf(planned), planned.target)
    const before = last.get(part) ?? Promise.resolve()
    last.set(
      part,
      before.then(() => {
        tell(Date.now() - start, describe(planned))
        return inject(theatre, planned, result)
      }),
    )
  }
  const over = Promise.all(last.values()).then(() => true)
  const isOver = await Promise.race([over, Bun.sleep(OVER_MS).then(() => false)])
  if (!isOver) result.faults.push(`driver: a fault was not over ${OVER_MS} ms after the last one began`)
  return result
}

async function inject(theatre: Theatre, planned: Planned, { injected, faults }: Storm): Promise<void> {
  const { name } = planned
  const record: Injected = {
    name,
    from: Date.now(),
    to: Number.POSITIVE_INFINITY,
    isFreeze: kindOf(planned).isFreeze === true,
  }
  injected.push(record)
  await kindOf(planned)
    .inject(theatre, planned)
    .catch((error) => void faults.push(`driver: ${name} could not be injected: ${error}`))
  record.to = Date.now()
}

function kindOf({ name }: Planned) {
  return FAULTS[name] as (typeof FAULTS)[string]
}

function describe({ name, forMs, target }: Planned): string {
  return `${name}${kindOf({ name } as Planned).part === 'worker' ? ` #${target}` : ''}${forMs > 0 ? `, ${(forMs / 1_000).toFixed(1)} s` : ''}`
}

import { ENGINE_FAULTS } from './engine-faults.ts'
import type { FaultKind, Kinds, Planned } from './kind.ts'
import { PROCESS_FAULTS } from './process-faults.ts'
import { UPSTREAM_FAULTS } from './upstream-faults.ts'

/** Everything that can go wrong on purpose. */
export const FAULTS: Kinds = { ...PROCESS_FAULTS, ...UPSTREAM_FAULTS, ...ENGINE_FAULTS }

export function kindOf({ name }: Pick<Planned, 'name'>): FaultKind {
  return FAULTS[name] as FaultKind
}

import type { Mistake } from '../mistake.ts'
import { ACCESS } from './access.ts'
import { CORE } from './core.ts'
import { INCIDENTS } from './incidents.ts'
import { KEEPING } from './keeping.ts'
import { PAGES } from './pages.ts'
import { TOPOLOGY } from './topology.ts'
import { WIRING } from './wiring.ts'

/** All mistakes. */
export const MISTAKES: readonly Mistake[] = [
  ...ACCESS,
  ...CORE,
  ...INCIDENTS,
  ...PAGES,
  ...KEEPING,
  ...TOPOLOGY,
  ...WIRING,
]

import type { Mistake } from '../mistake.ts'
import { ACCESS } from './access.ts'
import { CORE } from './core.ts'
import { INCIDENTS } from './incidents.ts'
import { PAGES } from './pages.ts'
import { STORAGE } from './storage.ts'
import { TOPOLOGY } from './topology.ts'
import { WIRING } from './wiring.ts'

/** All mistakes. */
export const MISTAKES: readonly Mistake[] = [
  ...ACCESS,
  ...CORE,
  ...INCIDENTS,
  ...PAGES,
  ...STORAGE,
  ...TOPOLOGY,
  ...WIRING,
]

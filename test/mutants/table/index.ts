import type { Mistake } from '../mistake.ts'
import { CORE } from './core.ts'
import { INGEST } from './ingest.ts'

/** All mistakes. */
export const MISTAKES: readonly Mistake[] = [...CORE, ...INGEST]

import type { Mistake } from '../mistake.ts'
import { CORE } from './core.ts'

/** All mistakes. */
export const MISTAKES: readonly Mistake[] = [...CORE]

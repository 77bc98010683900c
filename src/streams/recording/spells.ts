import { type SpellState, withSpell } from '../../core/judging/spell.ts'
import type { Run } from '../ingest/run.ts'

/**
 * Records how a run's connection stands from now on. What ends with it waits in the run until its evidence is written.
 * @returns whether that is a change
 */
export function turnSpell(run: Run, state: SpellState, at: number, isSilenced: boolean): boolean {
  const { spell } = run.evidence
  if (spell?.state === state && spell.isSilenced === isSilenced) return false
  if (spell !== undefined && spell.from < at) run.spells = withSpell(run.spells, { ...spell, to: at })
  run.evidence.spell = { from: at, state, isSilenced }
  return true
}

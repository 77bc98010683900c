/** How a connection stood: `silent` is connected, but without a byte for longer than allowed. */
export type SpellState = 'up' | 'down' | 'silent'

/** The current state of a connection, and since when. */
export interface OpenSpell {
  /** Milliseconds since the epoch. */
  from: number
  state: SpellState
  /** Whether notifications are silenced: this time counts neither as up nor as down. */
  isSilenced: boolean
}

/** A time during which a connection stood in one way. */
export interface Spell extends OpenSpell {
  /** Later than `from`. */
  to: number
}

/** Finished spells that one run keeps while they can't be stored. Beyond it, the shortest is dropped: that time is unknown. */
export const MAX_SPELLS = 200

/** The same spells with one more, within the bound. */
export function withSpell(spells: readonly Spell[], spell: Spell): Spell[] {
  const all = [...spells, spell]
  if (all.length <= MAX_SPELLS) return all
  const shortest = all.reduce((least, each) => (lengthOf(each) < lengthOf(least) ? each : least))
  return all.filter((each) => each !== shortest)
}

function lengthOf({ from, to }: Spell): number {
  return to - from
}

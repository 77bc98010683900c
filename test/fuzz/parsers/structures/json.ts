import { type Choice, changedList } from './choice.ts'

type Value = null | boolean | number | string | Value[] | { [name: string]: Value }

/** A JSON text with one of its values changed; undefined if it isn't JSON. */
export function changedJson(text: string, other: string, choice: Choice): string | undefined {
  const value = parsed(text)
  if (value === undefined) return undefined
  return JSON.stringify(changed(value, parsed(other) ?? choice.word(), choice))
}

/** Goes down to some value and changes it. */
function changed(value: Value, other: Value, choice: Choice): Value {
  if (typeof value !== 'object' || value === null) return scalar(choice)
  const names = Object.keys(value)
  if (names.length > 0 && choice.below(5) > 0) {
    const name = choice.pick(names) as string
    return withMember(value, name, changed((value as Record<string, Value>)[name] ?? null, other, choice))
  }
  if (choice.below(8) === 0) return scalar(choice)
  const given = partOf(other, choice)
  if (Array.isArray(value)) return changedList(value, given, choice)
  // Defined and not assigned, so that a member may be called `__proto__`.
  return Object.fromEntries(
    changedList(
      Object.entries(value),
      [choice.below(2) ? choice.word() : nameIn(other, choice), given],
      choice,
    ),
  )
}

function withMember(value: object, name: string, member: Value): Value {
  if (Array.isArray(value)) return value.with(Number(name), member)
  return Object.fromEntries(Object.entries(value).map(([each, old]) => [each, each === name ? member : old]))
}

/** Some value within a value. */
function partOf(value: Value, choice: Choice): Value {
  if (typeof value !== 'object' || value === null || choice.below(3) === 0) return value
  const members = Object.values(value)
  return members.length === 0 ? scalar(choice) : partOf(choice.pick(members) as Value, choice)
}

function nameIn(value: Value, choice: Choice): string {
  if (typeof value !== 'object' || value === null) return choice.word()
  const [name, member] = choice.pick(Object.entries(value)) ?? [choice.word(), null]
  return choice.below(2) === 0 ? name : nameIn(member, choice)
}

function scalar(choice: Choice): Value {
  const forms: (() => Value)[] = [
    () => choice.word(),
    () => choice.word(),
    () => choice.number(),
    () => null,
    () => choice.below(2) === 0,
    () => [],
    () => ({}),
    () => '',
  ]
  return (choice.pick(forms) as () => Value)()
}

function parsed(text: string): Value | undefined {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

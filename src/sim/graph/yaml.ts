/** How many lines to search for the position of a syntax error; past that, an earlier line is reported. */
const LOOK_AHEAD_LINES = 20
const MAX_ROUNDS = 10

/**
 * Parses YAML. Bun reports the syntax error but not its position: it is after the longest prefix that is valid YAML.
 */
export function parseYaml(yaml: string): { value: unknown } | { problem: string } {
  const failure = failureOf(yaml)
  if ('value' in failure) return failure
  const lines = yaml.split('\n')
  const isGood = (count: number) => 'value' in failureOf(lines.slice(0, count).join('\n'))
  let good = 0
  for (let round = 0; round < MAX_ROUNDS; round++) {
    let bad = lines.length
    while (bad - good > 1) {
      const middle = (good + bad) >> 1
      if (isGood(middle)) good = middle
      else bad = middle
    }
    // A prefix that ends between two braces isn't valid either, but a longer one is.
    const longer = Array.from({ length: LOOK_AHEAD_LINES }, (_, at) => bad + 1 + at).find(
      (count) => count < lines.length && isGood(count),
    )
    if (longer === undefined) break
    good = longer
  }
  return { problem: `line ${good + 1}: invalid YAML: ${failure.why}` }
}

function failureOf(yaml: string): { value: unknown } | { why: string } {
  try {
    return { value: Bun.YAML.parse(yaml) }
  } catch (error) {
    if (error instanceof RangeError) return { why: 'nested too deeply' }
    return { why: (error instanceof Error ? error.message : String(error)).replace('YAML Parse error: ', '') }
  }
}

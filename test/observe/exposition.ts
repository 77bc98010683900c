/** A family as the text tells it. */
export interface Told {
  type: string
  help: string
  samples: { name: string; labels: Record<string, string>; value: number }[]
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/
const LABEL = /^([a-zA-Z_]\w*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/
const NUMBER = /^([+-]?(\d+(\.\d+)?([eE][+-]?\d+)?|Inf)|NaN)$/
const SUFFIXES = ['_bucket', '_sum', '_count']

/**
 * Reads the text format, as strictly as it is written.
 * @throws for whatever Prometheus or its linter would not take
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export function readMetrics(text: string): Map<string, Told> {
  if (!text.endsWith('\n')) throw new Error('The last line must end')
  const families = new Map<string, Told>()
  const seen = new Set<string>()
  let current: { name: string; told: Told } | undefined
  let help: { name: string; text: string } | undefined
  for (const line of text.slice(0, -1).split('\n')) {
    const [hash, word, name = '', ...rest] = line.split(' ')
    if (hash === '#' && word === 'HELP') help = { name, text: rest.join(' ') }
    else if (hash === '#' && word === 'TYPE') {
      if (help?.name !== name || help.text === '') throw new Error(`No help before ${name}`)
      if (families.has(name) || !NAME.test(name)) throw new Error(`Not a new name: ${name}`)
      const type = rest.join(' ')
      checkName(name, type)
      current = { name, told: { type, help: help.text, samples: [] } }
      families.set(name, current.told)
    } else {
      if (seen.has(line.replace(/ \S+$/, ''))) throw new Error(`Twice: ${line}`)
      seen.add(line.replace(/ \S+$/, ''))
      if (current === undefined) throw new Error(`Of no family: ${line}`)
      current.told.samples.push(readSample(line, current.name, current.told.type))
    }
  }
  for (const [name, told] of families) if (told.type === 'histogram') checkHistogram(name, told)
  return families
}

function checkName(name: string, type: string): void {
  if (!['counter', 'gauge', 'histogram'].includes(type)) throw new Error(`${name}: no type ${type}`)
  if ((type === 'counter') !== name.endsWith('_total')) throw new Error(`${name}: a ${type}'s name`)
}

function readSample(line: string, family: string, type: string): Told['samples'][number] {
  const [, name = '', labelText = '', number = ''] = SAMPLE.exec(line) ?? []
  if (!NUMBER.test(number)) throw new Error(`No sample: ${line}`)
  const names = type === 'histogram' ? SUFFIXES.map((suffix) => family + suffix) : [family]
  if (!names.includes(name)) throw new Error(`${name} isn't of ${family}`)
  const value = Number(number.replace('Inf', 'Infinity'))
  if (type !== 'gauge' && !(value >= 0)) throw new Error(`Less than nothing: ${line}`)
  return { name, labels: readLabels(labelText), value }
}

function readLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {}
  for (let rest = text; rest !== ''; ) {
    const match = LABEL.exec(rest)
    const [whole, name, value] = match ?? []
    if (whole === undefined || name === undefined || name in labels) throw new Error(`No labels: ${text}`)
    labels[name] = (value as string).replace(/\\(.)/g, (_, char) => (char === 'n' ? '\n' : char))
    rest = rest.slice(whole.length)
  }
  return labels
}

/** Buckets rise to one without a bound, which counts all. */
function checkHistogram(name: string, { samples }: Told): void {
  const withoutLe = ({ le: _, ...labels }: Record<string, string>) => JSON.stringify(labels)
  for (const series of Map.groupBy(samples, ({ labels }) => withoutLe(labels)).values()) {
    const buckets = series.filter((sample) => sample.name === `${name}_bucket`)
    const bounds = buckets.map(({ labels }) => Number((labels.le as string).replace('Inf', 'Infinity')))
    const counts = buckets.map(({ value }) => value)
    const isRising = (values: number[]) =>
      values.every((value, at) => at === 0 || value >= (values[at - 1] as number))
    if (bounds.at(-1) !== Number.POSITIVE_INFINITY) throw new Error(`${name}: no last bucket`)
    if (!isRising(bounds) || !isRising(counts)) throw new Error(`${name}: buckets must rise`)
    const count = series.find((sample) => sample.name === `${name}_count`)?.value
    const sums = series.filter((sample) => sample.name === `${name}_sum`)
    if (count !== counts.at(-1) || sums.length !== 1) throw new Error(`${name}: sum and count`)
  }
}

import { type Config, settingEntries } from './settings.ts'

/** A setting in effect, as text for people. */
export interface SettingInForce {
  /** Environment variable. */
  key: string
  /** One-line description, with the unit. */
  about: string
  /** As it would be set in the environment, without credentials; undefined when off, and for secrets. */
  value: string | undefined
  isGiven: boolean
  isSecret: boolean
  /** The default; undefined when off by default. */
  fallback: string | undefined
  /** For settings that are off by default. */
  example: string | undefined
}

/** Every setting in effect, in the order of `.env.example`. */
export function settingsInForce(config: Config): SettingInForce[] {
  return settingEntries().map(([name, { key, about, fallback, example, isSecret = false }]) => {
    const value = config[name]
    const isGiven = config.given.has(key)
    return { key, about, isGiven, isSecret, fallback, example, value: isSecret ? undefined : shown(value) }
  })
}

/** Every secret in the settings, to be redacted wherever it appears. */
export function secretsOf(config: Config): string[] {
  const values = settingEntries().map(([name, { isSecret }]) => ({ isSecret, value: config[name] }))
  return values.flatMap(({ isSecret, value }) => {
    const texts = (typeof value === 'object' ? Object.values(value as object) : [value ?? '']).map(String)
    if (isSecret) return texts
    const passwords = texts.map((text) => URL.parse(text)?.password ?? '')
    return passwords.flatMap((password) => [password, decodeURIComponent(password)])
  })
}

/** A value as text; URLs without their credentials. */
function shown(value: unknown): string | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'object' && !Array.isArray(value)) {
    return [...new Set(Object.values(value as object).map(shown))].join(', ') || 'none'
  }
  const text = Array.isArray(value) ? value.join(',') : String(value)
  if (!URL.canParse(text) || !text.includes('://')) return text
  const url = new URL(text)
  if (!url.username && !url.password && !url.search) return text
  const isSigned = url.username !== '' || url.password !== ''
  return `${url.protocol}//${isSigned ? '…@' : ''}${url.host}${url.pathname}${url.search && '?…'}`
}

/** The text of `.env.example`: every key with its description, unit and default. */
export function exampleEnvironment(): string {
  return settingEntries()
    .map(([, { key, about, fallback, example }]) => {
      return `# ${about}\n${fallback === undefined ? `# ${key}=${example}` : `${key}=${fallback}`}\n`
    })
    .join('\n')
}

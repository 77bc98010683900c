// biome-ignore-all lint/suspicious/noTemplateCurlyInString: code that is searched for
import type { Mistake } from '../mistake.ts'

/** Mistakes in what is said about streams: reports, availability, connections, what people are shown. */
export const MEASURING: readonly Mistake[] = [
  {
    name: 'a tag’s report has private streams of others',
    guard: 'scope',
    file: 'src/reports/tag-report.ts',
    find: ', visibleTo(caller)',
    replace: '',
    hurts: 'A link to a tag publishes what the proxy was asked for with somebody’s own headers.',
    tests: ['test/reports/tag.test.ts'],
  },
  {
    name: 'a link to a tag’s report opens every tag',
    guard: 'scope',
    file: 'src/auth/links.ts',
    find: 'const subject = parameter === undefined ? id : byName.get(parameter)',
    replace: "const subject = parameter === undefined ? id : 'shop'",
    hurts: 'Sharing the report of one tag shares all.',
    tests: ['test/reports/tag.test.ts'],
  },
  {
    name: 'a tag’s report has all its streams',
    guard: 'bound',
    file: 'src/reports/tag-report.ts',
    find: '.limit(MAX_STREAMS)',
    replace: '',
    hurts: 'Whoever has a link to a tag with 10,000 streams keeps the database busy for minutes.',
    tests: ['test/reports/tag.test.ts'],
  },
  {
    name: 'all measurements of CPU are kept',
    guard: 'bound',
    file: 'src/streams/measures/cpu-trials.ts',
    find: 'ORDER BY at DESC LIMIT ${CPU_TRIALS_KEPT})`)',
    replace: 'ORDER BY at DESC)`)',
    hurts: 'A script that measures every minute fills the database.',
    tests: ['test/reports/cpu.test.ts'],
  },
  {
    name: 'the first measurement of CPU is reported',
    guard: 'rule',
    file: 'src/streams/measures/cpu-trials.ts',
    find: '.orderBy(cpuTrials.streamId, desc(cpuTrials.at))',
    replace: '.orderBy(cpuTrials.streamId, cpuTrials.at)',
    hurts: 'Whoever measures again still reads the old figure.',
    tests: ['test/reports/cpu.test.ts'],
  },
  {
    name: 'an unclear difference in CPU is a saving',
    guard: 'rule',
    file: 'views/reports/cpu.tsx',
    find: 'if (!saved.isClear) return',
    replace: 'if (saved.share > 1) return',
    hurts: 'Chance is published as a saving.',
    tests: ['test/reports/cpu.test.ts'],
  },
]

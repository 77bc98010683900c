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
]

import type { Mistake } from '../mistake.ts'

const COOKIES = ['test/streams/requests/cookies.test.ts']
const SECOND = ['test/streams/requests/second-attempt.test.ts']
const OAUTH2 = ['test/streams/requests/oauth2.test.ts']
const DIGEST = ['test/streams/requests/digest.test.ts']
const TLS = ['test/streams/requests/client-tls.test.ts']
const OPTIONS = ['test/streams/requests/options.test.ts']
const BUDGET = ['test/streams/requests/retry-budget.test.ts']

/** Mistakes in how a stream's requests are sent: `src/streams/requests`. */
export const REQUESTS: readonly Mistake[] = [
  {
    name: 'the own cookies are sent in addition to those that replace them',
    guard: 'rule',
    file: 'src/net/cookies.ts',
    find: '.filter((pair) => !replaced.has(nameOf(pair)))',
    replace: '',
    hurts: 'A session that the upstream renewed is sent twice, and many servers take the old one.',
    tests: COOKIES,
  },
  {
    name: 'a jar takes any number of cookies',
    guard: 'bound',
    file: 'src/net/cookies.ts',
    find: 'index < MAX_COOKIES && chars <= MAX_JAR_CHARS',
    replace: 'chars <= MAX_JAR_CHARS',
    hurts: 'An upstream makes its own stream’s requests too large for itself.',
    tests: COOKIES,
  },
  {
    name: 'the attempt that lost goes on',
    guard: 'bound',
    file: 'src/streams/requests/second-attempt.ts',
    find: '      own.abort()\n',
    replace: '',
    hurts: 'Every silent connection stays open until it times out, with its request.',
    tests: SECOND,
  },
  {
    name: 'any failure is taken for a dead connection',
    guard: 'rule',
    file: 'src/streams/ingest/upstream.ts',
    find: 'if (!kept.mayBeKept(url)) return attempt(false, init.signal)\n',
    replace: '',
    hurts: 'An upstream that is down is asked twice as often.',
    tests: SECOND,
  },
  {
    name: 'a redirect takes the credentials anywhere',
    guard: 'redaction',
    file: 'src/streams/ingest/upstream.ts',
    find: '[headers, authorizer, tls] = [{}, undefined, undefined]',
    replace: '[headers, tls] = [{}, undefined]',
    hurts: 'Whoever can redirect a stream gets its token.',
    tests: DIGEST,
  },
  {
    name: 'a redirect takes the client certificate anywhere',
    guard: 'redaction',
    file: 'src/streams/ingest/upstream.ts',
    find: '[headers, authorizer, tls] = [{}, undefined, undefined]',
    replace: '[headers, authorizer] = [{}, undefined]',
    hurts: 'A private authority vouches for hosts of the Internet.',
    tests: TLS,
  },
  {
    name: 'every stream renews a token on its own',
    guard: 'rule',
    file: 'src/streams/requests/tokens.ts',
    find: 'known.renewal ??= askForToken',
    replace: 'known.renewal = askForToken',
    hurts: 'A token that ends makes all streams hammer the token endpoint.',
    tests: OAUTH2,
  },
  {
    name: 'a stored secret is kept for another token endpoint',
    guard: 'redaction',
    file: 'src/streams/registry/request-options.ts',
    find: 'new URL(stored.tokenUrl).origin === new URL(given.tokenUrl).origin',
    replace: 'true',
    hurts: 'Whoever may edit a stream has its secret sent to himself.',
    tests: OPTIONS,
  },
  {
    name: 'retries have no budget',
    guard: 'bound',
    file: 'src/streams/requests/retry-budget.ts',
    find: 'const isTaken = host.total < this.#perDay',
    replace: 'const isTaken = true',
    hurts: 'A host that is down is asked all day long by everything that it serves.',
    tests: BUDGET,
  },
]

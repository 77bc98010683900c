import { type FuzzedParser, only, PLANTED, same } from './parser.ts'

const MAX_BYTES = 1_000

/** What upstreams send. */
export const UPSTREAM_PARSERS = {
  ndjson: {
    files: /src\/streams\/ingest\/connection\/json-lines\.ts$/,
    plant: {
      file: /json-lines\.ts$/,
      find: 'const line = this.#parts',
      replace: `if (this.#nesting !== undefined && this.#parts.length === 3) ${PLANTED}; const line = this.#parts`,
    },
    open: async () => {
      const { jsonLines } = await import('../../../../src/streams/ingest/connection/json-lines.ts')
      const read = (chunks: readonly string[]) => {
        const told: unknown[] = []
        const parser = jsonLines({
          maxChars: 100,
          onEvent: (event) => told.push(event),
          // A line that is given up is reported as far as it was read, which depends on the chunks.
          onLarge: ({ bytes, hash }) => told.push(hash === undefined ? 'given up' : { bytes, hash }),
        } as Parameters<typeof jsonLines>[0])
        for (const chunk of chunks) parser.feed(chunk)
        parser.reset()
        return told
      }
      return {
        seeds: ['{"a":1}\n{"b":[2]}\r\n\n"x"\n', '\u001e{"a":\n{"b":"\\"}"}}\n\u001e[1]\n', '\uFEFF1\n2'],
        try: (input) => {
          // A character that a chunk cuts in two is no chunk of a decoder's.
          const text = input.toWellFormed()
          same(read([text]), read([...text]), 'Depends on its chunks')
        },
      }
    },
  },
  websocket: {
    files: /src\/streams\/ingest\/websocket\/(frames|close-codes)\.ts$/,
    plant: {
      file: /frames\.ts$/,
      find: 'const data = isCompressed',
      replace: `if (isCompressed && opcode === OPCODE.text && payload.byteLength === 9) ${PLANTED}; const data = isCompressed`,
    },
    open: async () => {
      const { FrameReader, messageIn } = await import('../../../../src/streams/ingest/websocket/frames.ts')
      const { UpstreamError } = await import('../../../../src/streams/ingest/upstream.ts')
      const read = async (chunks: readonly Buffer[]) => {
        const told: unknown[] = []
        try {
          const reader = new FrameReader(MAX_BYTES, true)
          // One that is too large comes as it arrives.
          let largeBytes = 0
          for (const chunk of chunks) {
            for (const received of reader.read(chunk)) {
              const { part, payload } = received
              largeBytes = part === undefined ? 0 : largeBytes + payload.byteLength
              if (part?.isLast) told.push(largeBytes)
              if (part === undefined) told.push(await messageIn(received, MAX_BYTES))
              if (part?.isLast) largeBytes = 0
            }
          }
          told.push(reader.isWhole)
        } catch (error) {
          only(error, UpstreamError)
          told.push((error as Error).message)
        }
        return told
      }
      const deflated = Bun.deflateSync(Buffer.from('a text'), { windowBits: -15 })
      return {
        seeds: [
          '\x81\x05hello',
          '\x01\x03abc\x00\x03def\x89\x01p\x80\x01g',
          `\x82\x7e\x00\x80${'b'.repeat(128)}`,
          '\x88\x05\x03\xe8bye',
          `\xc1${String.fromCharCode(deflated.length)}${Buffer.from(deflated).toString('latin1')}`,
        ],
        forms: ['tokens'] as const,
        try: async (input) => {
          const bytes = Buffer.from(input.slice(0, 2 * MAX_BYTES), 'latin1')
          const single = Array.from(bytes, (_, at) => bytes.subarray(at, at + 1))
          same(await read([bytes]), await read(single), 'Depends on its chunks')
        },
      }
    },
  },
  graphql: {
    files: /src\/streams\/ingest\/(websocket\/follow-graphql|connection\/event-ids)\.ts$/,
    plant: {
      file: /follow-graphql\.ts$/,
      find: 'const answer = said &&',
      replace: `if (said?.type === 'next' && hasErrors(said.payload ?? null)) ${PLANTED}; const answer = said &&`,
    },
    open: async () => {
      const { subscription } = await import('../../../../src/streams/ingest/websocket/follow-graphql.ts')
      const stream = { body: '{"query":"subscription{a}"}', messages: { eventId: '/data/id' } }
      return {
        seeds: [
          '{"type":"connection_ack","payload":{}}\n{"id":"1","type":"next","payload":{"data":{"id":1}}}\n{"type":"complete"}',
          '{"type":"ping"}\n{"type":"pong"}\n{"type":"error","payload":[{"message":"no"}]}',
        ],
        try: (input) => {
          const { hear } = subscription(stream as unknown as Parameters<typeof subscription>[0])('')
          for (const text of input.split('\n')) {
            const { replies = [] } = hear({ kind: 'text', text, bytes: text.length })
            for (const reply of replies) JSON.parse(reply)
          }
        },
      }
    },
  },
  digest: {
    files: /src\/streams\/requests\/digest\.ts$/,
    plant: {
      file: /digest\.ts$/,
      find: 'if (realm === undefined',
      replace: `if (parameters.get('opaque')?.includes('"') && algorithm === 'SHA-256') ${PLANTED}; if (realm === undefined`,
    },
    open: async () => {
      const { challengeIn, digestHeader } = await import('../../../../src/streams/requests/digest.ts')
      return {
        seeds: [
          'Digest realm="a", nonce="b", qop="auth, auth-int", algorithm=SHA-256, opaque="c\\"d"',
          'Basic realm="x", Digest realm="y", nonce=n, algorithm=MD5-sess, stale=true, userhash=true',
          'Digest realm="", nonce=""',
        ],
        try: (input) => {
          const challenge = challengeIn(input)
          if (challenge === undefined) return
          const request = { method: 'GET', uri: '/', count: 1, cnonce: 'c' }
          const sent = digestHeader({ type: 'digest', username: 'u"', password: 'p' }, challenge, request)
          // What is sent is read by the same grammar, and must say the same.
          const again = challengeIn(sent)
          same(
            [again?.realm, again?.nonce],
            [challenge.realm, challenge.nonce],
            'Not what the challenge said',
          )
        },
      }
    },
  },
  cookies: {
    files: /src\/net\/cookies\.ts$|tough-cookie\/dist\/.*\.js$/,
    plant: {
      file: /cookies\.ts$/,
      find: 'this.#bound()\n    this.#isChanged',
      replace: `if (this.#all().length === 3 && this.#all().some(({ path }) => path === '/x/y')) ${PLANTED}; this.#bound()\n    this.#isChanged`,
    },
    open: async () => {
      const { Cookies, combinedCookies } = await import('../../../../src/net/cookies.ts')
      return {
        seeds: [
          'a=b; Path=/; HttpOnly\n__Host-c=d; Secure; Path=/\ne=f; Domain=a.test; Max-Age=60',
          'x="y"; Expires=Wed, 21 Oct 2037 07:28:00 GMT; SameSite=Lax\n=z\nq',
          'n=1; Path=/x/y\nn=2; Path=/x',
        ],
        try: async (input) => {
          const jar = new Cookies()
          await jar.take('https://a.test/x/y/z', input.split('\n'))
          const header = await jar.header('https://a.test/x/y/z')
          const restored = await new Cookies(jar.serialize()).header('https://a.test/x/y/z')
          same(restored, header, 'Not the cookies that were kept')
          combinedCookies(input, header)
        },
      }
    },
  },
  select: {
    files: /src\/streams\/content\/selec\w+\.ts$|css-(select|what)\/.*\.js$/,
    plant: {
      file: /selection\.ts$/,
      find: "return { what: 'css'",
      replace: `if (take === '@href' && selector.includes(':not(')) ${PLANTED}; return { what: 'css'`,
    },
    open: async () => {
      const { parseSelection } = await import('../../../../src/streams/content/selection.ts')
      const { selectIn } = await import('../../../../src/streams/content/select.ts')
      const { Problem } = await import('../../../../src/errors.ts')
      const { TooMuch } = await import('../../../../src/core/documents/work.ts')
      const page = '<ul id=a><li class="b c" title=x>1<li>2<a href="/y">3</a></ul><p lang=en>&lt;<b>4</b>'
      return {
        seeds: [
          'css: ul#a > li.b[title^="x" i]',
          'css: li:nth-child(2n+1):not(.b, a) | @href',
          'css: a:is(p b, :has(> a)) | html',
          'feed',
          'css: *|b ~ i, p:contains("4") | all',
        ],
        try: (input) => {
          try {
            const selection = parseSelection(input)
            if (selection !== undefined) selectIn(page, false, selection)
          } catch (error) {
            only(error, Problem, TooMuch)
          }
        },
      }
    },
  },
} satisfies Record<string, FuzzedParser>

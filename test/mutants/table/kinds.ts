import type { Mistake } from '../mistake.ts'

const HOSTILE = ['test/streams/hostile-socket.test.ts']
const SOCKET = ['test/streams/websocket.test.ts']

/** Mistakes in how connections of other kinds than event streams are followed. */
export const KINDS: readonly Mistake[] = [
  {
    name: 'any accept key opens a WebSocket',
    guard: 'rule',
    file: 'src/streams/ingest/websocket/handshake.ts',
    find: "if (headers.get('sec-websocket-accept')?.trim() !== expected)",
    replace: "if (headers.get('sec-websocket-accept') === expected.repeat(2))",
    hurts: 'What a cache or a server of something else sends is read as frames.',
    tests: HOSTILE,
  },
  {
    name: 'a socket leads to the name, not to the address that was checked',
    guard: 'scope',
    file: 'src/net/egress.ts',
    find: 'return await openSocket(target, address, options)',
    replace: 'return await openSocket(target, host, options)',
    hurts: 'A name that changes after the check leads a WebSocket into the network.',
    tests: ['test/net/sockets.test.ts'],
  },
  {
    name: 'a message of any size is kept',
    guard: 'bound',
    file: 'src/streams/ingest/websocket/frames.ts',
    find: '    if (message.payload.bytes + left > this.#maxBytes) throw tooLarge(this.#maxBytes)\n',
    replace: '',
    hurts: 'One WebSocket fills the memory.',
    tests: HOSTILE,
  },
  {
    name: 'a compressed message of any size is inflated',
    guard: 'bound',
    file: 'src/streams/ingest/websocket/frames.ts',
    find: 'maxOutputLength: maxBytes',
    replace: 'maxOutputLength: 1_000 * maxBytes',
    hurts: 'A message of 20 KB takes 20 MB of memory.',
    tests: SOCKET,
  },
  {
    name: 'text that isn’t UTF-8 is taken',
    guard: 'rule',
    file: 'src/streams/ingest/websocket/frames.ts',
    find: "new TextDecoder('utf-8', { fatal: true,",
    replace: "new TextDecoder('utf-8', { fatal: false,",
    hurts: 'What the log shows is not what was sent.',
    tests: HOSTILE,
  },
  {
    name: 'the texts of messages are shown',
    guard: 'redaction',
    file: 'src/streams/registry/messages.ts',
    find: '  return { ...messages, ...Object.fromEntries(hidden) }',
    replace: '  return messages',
    hurts: 'Whoever may read a stream reads the token that it subscribes with.',
    tests: SOCKET,
  },
  {
    name: 'messages go along to another origin',
    guard: 'redaction',
    file: 'src/streams/registry/messages.ts',
    find: '    if (isElsewhere) {',
    replace: "    if (isElsewhere && name === 'init') {",
    hurts: 'Whoever may change a URL has the token of a stream sent to a server of their own.',
    tests: ['test/streams/changed-messages.test.ts'],
  },
  {
    name: 'a file of lines is followed without an end',
    guard: 'rule',
    file: 'src/streams/registry/probe.ts',
    find: "  if (end === 'time') {",
    replace: "  if (end !== 'broken') {",
    hurts: 'A file is fetched again and again, and all of it is stored each time.',
    tests: ['test/streams/ndjson.test.ts'],
  },
]

import type { Mistake } from '../mistake.ts'

const PREVIEW = ['test/streams/requests/preview.test.ts']
const TWIN = ['test/proxy/twin.test.ts']

/** Mistakes in what is registered, in every way to register it, and in how it is used from there. */
export const REGISTERING: readonly Mistake[] = [
  {
    name: 'a preview doesn’t sign in',
    guard: 'rule',
    file: 'src/streams/registry/streams.ts',
    find: 'more = { kind, messages, select, means }',
    replace: 'more = { kind, messages, select }',
    hurts: 'What needs credentials can’t be looked at before it is registered.',
    tests: PREVIEW,
  },
  {
    name: 'a WebSocket doesn’t sign in',
    guard: 'rule',
    file: 'src/streams/ingest/websocket/follow-websocket.ts',
    find: 'limits, signal, fetch, means)',
    replace: 'limits, signal, fetch)',
    hurts: 'Credentials are accepted for a WebSocket, and never used.',
    tests: PREVIEW,
  },
  {
    name: 'a WebSocket uses no certificates of its own',
    guard: 'rule',
    file: 'src/streams/ingest/websocket/handshake.ts',
    find: '...(tls && { tls: tls as SocketTls })',
    replace: '',
    hurts: 'A client certificate is accepted for a WebSocket, and never used.',
    tests: PREVIEW,
  },
  {
    name: 'anybody may subscribe for a twin',
    guard: 'scope',
    file: 'src/proxy/proxied.ts',
    find: "checkScope(caller, 'admin')",
    replace: '',
    hurts: 'Whoever may read gets the responses to credentials of a stream’s owner.',
    tests: TWIN,
  },
  {
    name: 'a twin’s credentials are sent to any API',
    guard: 'scope',
    file: 'src/proxy/proxied.ts',
    find: 'new URL(url).href !== polled.url',
    replace: 'false',
    hurts: 'Whoever can name a twin has its credentials sent to himself.',
    tests: TWIN,
  },
  {
    name: 'credentials aren’t part of the key',
    guard: 'scope',
    file: 'src/proxy/proxied.ts',
    find: 'access ? { ...identity, access: JSON.stringify(access) } : identity',
    replace: 'identity',
    hurts: 'A subscriber without credentials gets the responses to a twin’s.',
    tests: TWIN,
  },
  {
    name: 'a proxied stream that signs in is shared',
    guard: 'scope',
    file: 'src/streams/registry/visibility.ts',
    find: ' AND ${streams.auth} IS NULL AND ${streams.tls} IS NULL)`,',
    replace: ')`,',
    hurts: 'Everybody reads the responses to the credentials of a stream’s owner.',
    tests: TWIN,
  },
]

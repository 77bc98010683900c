// biome-ignore-all lint/suspicious/noTemplateCurlyInString: code that is searched for
import type { Mistake } from '../mistake.ts'

const SIGNATURE = ['test/push/signature.test.ts']
const PUSH = ['test/push/push.test.ts', 'test/push/fleet.test.ts']
const FOREIGN = ['test/transfer/foreign.test.ts']

/** Mistakes in what is pushed, in what other programs export, and in reading times. */
export const PUSHED: readonly Mistake[] = [
  {
    name: 'a delivery is stored before its signature is verified',
    guard: 'scope',
    file: 'src/push/inbox.ts',
    find: 'if (refusal !== undefined) {',
    replace: 'if (refusal === null) {',
    hurts: 'Whoever learns a URL writes events in the name of GitHub.',
    tests: PUSH,
  },
  {
    name: 'an old signature is accepted for ever',
    guard: 'timer',
    file: 'src/push/signature.ts',
    find: 'Math.abs(nowMs - Number(text) * SECOND_MS) <= toleranceMs',
    replace: 'nowMs - Number(text) * SECOND_MS >= -toleranceMs',
    hurts: 'A recorded delivery can be replayed for ever.',
    tests: SIGNATURE,
  },
  {
    name: 'checkpoints aren’t locked while deliveries are numbered',
    guard: 'lock',
    file: 'src/push/store.ts',
    find: "    .orderBy(asc(checkpoints.streamId))\n    .for('update')",
    replace: '    .orderBy(asc(checkpoints.streamId))',
    hurts: 'Two processes store one delivery twice, or lose one.',
    tests: ['test/push/fleet.test.ts'],
  },
  {
    name: 'doubles within a batch are stored twice',
    guard: 'rule',
    file: 'src/push/store.ts',
    find: 'if (key !== undefined) seen.set(key, seq)',
    replace: 'void key',
    hurts: 'A sender that is impatient pays twice.',
    tests: PUSH,
  },
  {
    name: 'the hash of a token is returned',
    guard: 'redaction',
    file: 'src/routes/streams/streams.ts',
    find: 'auth, tls, push, pushToken, ...shown }',
    replace: 'auth, tls, push, ...shown }',
    hurts: 'The API shows what only the database should have.',
    tests: PUSH,
  },
  {
    name: 'the signing secret is exported',
    guard: 'redaction',
    file: 'src/transfer/export.ts',
    find: 'secrets ? stream.push : shownPush(stream.push)',
    replace: 'stream.push',
    hurts: 'A file that anyone may read has the secret of a sender.',
    tests: PUSH,
  },
  {
    name: 'silent push streams are blamed on the network',
    guard: 'rule',
    file: 'src/incidents/evaluation/standing.ts',
    find: "CASE WHEN ${isRun('s')} THEN ${HOST} END AS host",
    replace: '${HOST} AS host',
    hurts: 'Two quiet senders become an outage of their host.',
    tests: ['test/incidents/push.test.ts'],
  },
  {
    name: 'push streams wait for a worker',
    guard: 'rule',
    file: 'src/core/judging/status.ts',
    find: '  if (isPushed(expected.kind)) return judgeDeliveries(evidence, expected, nowMs)\n',
    replace: '  void [isPushed, judgeDeliveries]\n',
    hurts: 'Every push stream is stalled.',
    tests: ['test/core/status.test.ts'],
  },
  {
    name: 'cookies of a browser are imported',
    guard: 'redaction',
    file: 'src/transfer/foreign/har.ts',
    find: "(cookies || name.toLowerCase() !== 'cookie')",
    replace: '(cookies || true)',
    hurts: 'A recording of a browser hands over its session.',
    tests: FOREIGN,
  },
  {
    name: 'mutations of a Postman collection are imported',
    guard: 'rule',
    file: 'src/transfer/foreign/postman.ts',
    find: '/\\b(mutation|subscription)\\b/.test(text)',
    replace: 'false',
    hurts: 'Weir buys something every minute.',
    tests: FOREIGN,
  },
  {
    name: 'a time without a zone is read',
    guard: 'unit',
    file: 'src/core/time.ts',
    find: '([Zz]|[+-](?:[01]\\d|2[0-3]):?[0-5]\\d))?$/',
    replace: '([Zz]|[+-](?:[01]\\d|2[0-3]):?[0-5]\\d)?)?$/',
    hurts: 'A report covers other hours than its reader meant.',
    tests: ['test/core/instant.test.ts'],
  },
]

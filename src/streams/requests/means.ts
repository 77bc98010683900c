import { Cookies } from '../../net/cookies.ts'
import type { Run, Stream } from '../ingest/run.ts'
import type { Means } from '../ingest/upstream.ts'
import { authorizerOf } from './authorizer.ts'
import { Tokens } from './tokens.ts'
import type { Vault } from './vault.ts'

export interface MeansDeps {
  /** Default: the tokens of these requests only. */
  tokens?: Tokens
  /** Default: cookies aren't stored. */
  vault?: Vault
}

/** How the requests of a stream are sent, by its options; cookies that it keeps are kept in `means.cookies`. */
export function meansOf(
  { auth, tls }: Pick<Stream, 'auth' | 'tls'>,
  { tokens = new Tokens() }: MeansDeps = {},
): Means {
  return {
    ...(auth?.login && { authorizer: authorizerOf(auth.login, tokens) }),
    ...(tls && { tls }),
  }
}

/** The same for a run, with the cookies that its stream has kept. */
export function meansOfRun({ stream, checkpoint }: Run, deps: MeansDeps): Means {
  if (stream.via !== null) return {}
  const means = meansOf(stream, deps)
  if (stream.auth?.cookies !== 'stream') return means
  const kept = checkpoint.cookies && deps.vault?.open(checkpoint.cookies, stream.id)
  return { ...means, cookies: new Cookies(kept) }
}

/** Puts the stream's cookies into its checkpoint if they changed; the next entry stores it. */
export function keepCookies(run: Run, { cookies }: Means, { vault }: MeansDeps): void {
  if (run.stream.auth?.cookies !== 'stream' || vault === undefined) return
  const changed = cookies?.takeChanged()
  if (changed === undefined) return
  run.checkpoint = { ...run.checkpoint, cookies: vault.seal(changed, run.stream.id) }
}

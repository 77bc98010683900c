import type { ForReader } from '../layout/layout.tsx'
import { Shell } from '../layout/shell.tsx'

export interface LoginPageData {
  /** Path to open after signing in. */
  next: string
  /** Sign-in isn't required. */
  isOpen: boolean
  /** Why the last attempt failed. */
  error?: string
}

/** The sign-in page. It needs no script, and nothing that requires signing in. */
export function LoginPage({ reader, next, isOpen, error }: LoginPageData & ForReader) {
  return (
    <Shell
      reader={reader}
      title="Sign in"
      head={<link rel="stylesheet" href="/assets/views/access/login.css" />}
      bodyClass="login"
    >
      <main>
        <img src="/assets/views/layout/weir.svg" alt="" width="48" height="48" />
        <h1>Sign in to Weir</h1>
        <form class="panel" method="post" action="/login">
          {next !== '/' && <input type="hidden" name="next" value={next} />}
          <label for="secret">API key or WEIR_TOKEN</label>
          <input
            id="secret"
            name="secret"
            type="password"
            autocomplete="current-password"
            autocapitalize="off"
            spellcheck={false}
            required
            autofocus
            maxlength={4_000}
            aria-invalid={error === undefined ? undefined : 'true'}
            aria-describedby={error === undefined ? 'login-help' : 'login-error login-help'}
          />
          {error !== undefined && (
            <p class="login-error" id="login-error" role="alert">
              {error}
            </p>
          )}
          <button type="submit">Sign in</button>
          <p class="muted" id="login-help">
            {isOpen
              ? "Sign-in is optional: WEIR_TOKEN isn't set, so anyone on this machine has access."
              : 'An admin can create a key for you in Settings. You stay signed in for a week.'}
          </p>
          {isOpen && (
            <p>
              <a href={next}>Continue without signing in</a>
            </p>
          )}
        </form>
      </main>
    </Shell>
  )
}

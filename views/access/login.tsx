export interface LoginPageData {
  /** Where to go then: a path. */
  next: string
  /** Nobody has to log in here. */
  isOpen: boolean
  /** Why the last attempt failed. */
  error?: string
}

/** Where people log in. It needs no script, and nothing that is behind it. */
export function LoginPage({ next, isOpen, error }: LoginPageData) {
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="dark light" />
        <title>Log in · Weir</title>
        <link rel="icon" href="/assets/views/layout/weir.svg" type="image/svg+xml" />
        <link rel="stylesheet" href="/assets/views/layout/weir.css" />
        <link rel="stylesheet" href="/assets/views/access/login.css" />
      </head>
      <body class="login">
        <main>
          <img src="/assets/views/layout/weir.svg" alt="" width="48" height="48" />
          <h1>Log in to Weir</h1>
          <form class="panel" method="post" action="/login">
            {next !== '/' && <input type="hidden" name="next" value={next} />}
            <label for="secret">API key, or the token of this Weir</label>
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
            <button type="submit">Log in</button>
            <p class="muted" id="login-help">
              {isOpen
                ? 'Nobody has to: this Weir has no token, and lets in whoever is on its machine.'
                : 'Whoever runs this Weir makes keys on its page of settings. You stay logged in for a week.'}
            </p>
            {isOpen && (
              <p>
                <a href={next}>Go on without</a>
              </p>
            )}
          </form>
        </main>
      </body>
    </html>
  )
}

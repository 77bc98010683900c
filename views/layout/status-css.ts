import { STATUS, STATUSES } from '../../src/core/sets/statuses.ts'

/** The colors of statuses: variables of each theme, as `weir.css` chooses it, and the classes of badges. */
export function statusCss(): string {
  const colors = (theme: 'dark' | 'light') =>
    STATUSES.map((status) => `--${status}: ${STATUS[status].color[theme]};`).join(' ')
  return [
    `:root { ${colors('dark')} }`,
    `@media (prefers-color-scheme: light) { :root:not([data-theme]) { ${colors('light')} } }`,
    `:root[data-theme="light"] { ${colors('light')} }`,
    ...STATUSES.map((status) => `.status.${status}, .badge.${status} { color: var(--${status}); }`),
  ].join('\n')
}

import { STATUS, STATUSES } from '../../src/core/sets/statuses.ts'

/** The colors of statuses: variables for both themes, and the classes of badges. */
export function statusCss(): string {
  const colors = STATUSES.map((status) => {
    const { light, dark } = STATUS[status].color
    return `--${status}: light-dark(${light}, ${dark});`
  })
  return [
    `:root { ${colors.join(' ')} }`,
    ...STATUSES.map((status) => `.status.${status}, .badge.${status} { color: var(--${status}); }`),
  ].join('\n')
}

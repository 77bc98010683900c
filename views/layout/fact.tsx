import type { Child } from 'hono/jsx'

/** A name and what it stands for, in a list of class `facts`. */
export function Fact({ name, children }: { name: string; children: Child }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}

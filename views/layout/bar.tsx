/** A share as a length; the number stands beside it. */
export function Bar({ share, colour }: { share: number; colour: string }) {
  const width = share > 0 ? Math.max(share * 100, 0.5).toFixed(1) : 0
  return (
    <svg width="100%" height="6" aria-hidden="true" display="block">
      <rect width="100%" height="6" rx="3" fill="var(--raised)" />
      <rect width={`${width}%`} height="6" rx="3" fill={colour} />
    </svg>
  )
}

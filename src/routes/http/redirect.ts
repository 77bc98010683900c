/** Redirects after a successful form submission. */
export function redirect(to: string): Response {
  return new Response(null, { status: 303, headers: { Location: to } })
}

/** Goes to another page, with or without JavaScript. */
export function leave(request: Request, to: string): Response {
  if (!request.headers.has('hx-request')) return redirect(to)
  return new Response(null, { status: 200, headers: { 'HX-Redirect': to } })
}

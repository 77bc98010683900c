/** Where a form leads that did what it should. */
export function redirect(to: string): Response {
  return new Response(null, { status: 303, headers: { Location: to } })
}

/** Goes to another page, with script or without. */
export function leave(request: Request, to: string): Response {
  if (!request.headers.has('hx-request')) return redirect(to)
  return new Response(null, { status: 200, headers: { 'HX-Redirect': to } })
}

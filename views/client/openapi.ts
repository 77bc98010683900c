// Shows the OpenAPI document. The viewer is a classic script that leaves its entry point on the window.

interface Viewer {
  (options: {
    url: string
    domNode: Element
    deepLinking: boolean
    defaultModelsExpandDepth: number
  }): unknown
}

const show = (window as unknown as { SwaggerUIBundle: Viewer }).SwaggerUIBundle
const domNode = document.getElementById('openapi')
if (domNode !== null) show({ url: '/openapi/json', domNode, deepLinking: true, defaultModelsExpandDepth: 0 })

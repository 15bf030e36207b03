// `<haproxy-ingress-preview>`: manifests in any page, with the configuration that they become beside them.
//
// <haproxy-ingress-preview haproxy="3.2" request="http://shop.example/">
//   <pre><code>apiVersion: networking.k8s.io/v1 …</code></pre>
// </haproxy-ingress-preview>
// <script src="https://…/embed.js" async></script>
//
// Without this script, or without JavaScript, the text stays as it is. The engine runs in a frame, which
// is loaded when the element comes into view, or at a click (`load="click"`). Further files are further
// `<pre data-file="name.yaml">`; with `hidden` they stand only in the frame.

const script = document.currentScript
const base = new URL('.', script instanceof HTMLScriptElement ? script.src : location.href)

const STYLE = `
  :host { display: block; margin: 1em 0; }
  :host([hidden]) { display: none; }
  .bar { display: flex; justify-content: flex-end; gap: 8px; margin-top: 4px; }
  button { min-height: 28px; padding: 2px 10px; border: 1px solid color-mix(in srgb, currentColor 40%, transparent);
    border-radius: 6px; color: inherit; background: none; font: 13px system-ui, sans-serif; cursor: pointer; }
  iframe { display: block; width: 100%; border: 1px solid color-mix(in srgb, currentColor 25%, transparent);
    border-radius: 8px; background: Canvas; }
  [hidden] { display: none; }
`

/** What a link of the playground's second form carries: see share.ts. */
async function fragment(value: unknown): Promise<string> {
  const piped = new Blob([JSON.stringify(value)]).stream().pipeThrough(new CompressionStream('deflate-raw'))
  const bytes = new Uint8Array(await new Response(piped).arrayBuffer())
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  return `2${btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')}`
}

class Preview extends HTMLElement {
  #frame: HTMLIFrameElement | null = null

  connectedCallback(): void {
    if (this.shadowRoot) return
    // What stands in it may not have been read yet.
    if (document.readyState === 'loading') {
      document.addEventListener('DOMContentLoaded', () => this.#mount(), { once: true })
    } else this.#mount()
  }

  #mount(): void {
    const root = this.attachShadow({ mode: 'open' })
    const style = document.createElement('style')
    style.textContent = STYLE
    const text = document.createElement('slot')
    const bar = document.createElement('div')
    bar.className = 'bar'
    const button = document.createElement('button')
    button.type = 'button'
    button.textContent = 'See the configuration live'
    button.onclick = () => {
      if (this.#frame) this.#toggle(text, button)
      else void this.#open(root, text, button)
    }
    bar.append(button)
    root.append(style, text, bar)
    if (this.getAttribute('load') === 'click') return
    const seen = new IntersectionObserver(
      entries => {
        if (!entries.some(it => it.isIntersecting) || this.#frame) return
        seen.disconnect()
        void this.#open(root, text, button)
      },
      { rootMargin: '200px' },
    )
    seen.observe(this)
  }

  async #open(root: ShadowRoot, text: HTMLSlotElement, button: HTMLButtonElement): Promise<void> {
    const frame = document.createElement('iframe')
    this.#frame = frame
    frame.title = this.getAttribute('label') ?? 'The configuration of this example'
    frame.style.height = `${Number(this.getAttribute('height')) || 520}px`
    // The page needs its own origin for its worker, and nothing of others. On the same origin that would
    // keep nothing in.
    if (base.origin !== location.origin) {
      frame.setAttribute('sandbox', 'allow-scripts allow-same-origin allow-popups allow-downloads')
    }
    frame.allow = 'clipboard-write'
    frame.src = new URL(`index.html?embed#${await fragment(this.#value())}`, base).href
    root.append(frame)
    this.#toggle(text, button)
  }

  /** Shows the frame in the place of the text, or the text again. */
  #toggle(text: HTMLSlotElement, button: HTMLButtonElement): void {
    if (!this.#frame) return
    const showsFrame = text.hidden
    text.hidden = !showsFrame
    this.#frame.hidden = showsFrame
    button.textContent = showsFrame ? 'See the configuration live' : 'Only the text'
  }

  #value(): unknown {
    const parts = [...this.querySelectorAll('pre')]
    const files = parts.map((it, index) => [
      it.dataset['file'] ?? (index === 0 ? 'example.yaml' : `example-${index + 1}.yaml`),
      (it.textContent ?? '').replace(/^\n/, ''),
    ])
    const configMap = this.getAttribute('configmap')
    const request = this.getAttribute('request')
    return {
      h: this.getAttribute('haproxy') ?? '3.2',
      f: files,
      ...(configMap === null ? {} : { c: configMap }),
      ...(request === null ? {} : { r: [[request, null]] }),
    }
  }
}

if (!customElements.get('haproxy-ingress-preview')) customElements.define('haproxy-ingress-preview', Preview)

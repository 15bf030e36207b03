// What the edits would cost a running HAProxy.

import { count, make } from '../dom'
import type { Output, Place } from '../engine/dto'

export function showPlan(
  body: HTMLElement,
  output: Output,
  ways: { toPlace(place: Place): void; apply(): void },
): void {
  const { plan } = output
  const apply = () =>
    make('button', { type: 'button', id: 'apply', onclick: ways.apply }, 'Take as running')
  switch (plan.kind) {
    case 'start':
      body.replaceChildren(make('p', { className: 'empty' }, 'HAProxy would start with this configuration.'))
      return
    case 'nothing':
      body.replaceChildren(
        make(
          'p',
          { className: 'empty' },
          'Nothing to do: this is what runs. After an edit, this panel says whether HAProxy can be changed while it runs, or has to reload, and why.',
        ),
      )
      return
    case 'update':
      body.replaceChildren(
        make('p', { className: 'verdict good' }, `No reload: ${count(plan.commands.length, 'command')} on the running process`),
        make('ul', { className: 'list' }, ...plan.commands.map(it => make('li', {}, make('code', { className: 'command' }, it)))),
        apply(),
      )
      return
    case 'reload': {
      const reasons = plan.reasons.map(reason => {
        const origins = reason.origins.map(index => {
          const origin = output.origins[index]
          const place = origin?.place
          const label = origin?.label ?? ''
          return place
            ? make('button', { type: 'button', className: 'origin-row', onclick: () => ways.toPlace(place) }, label)
            : make('div', { className: 'origin-row' }, label)
        })
        return make('li', {}, make('span', { className: 'reason' }, reason.label), ...origins)
      })
      body.replaceChildren(
        make('p', { className: 'verdict' }, `Reload, for ${count(plan.reasons.length, 'reason')}`),
        make('ul', { className: 'list' }, ...reasons),
        apply(),
      )
    }
  }
}

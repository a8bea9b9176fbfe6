// SPDX-License-Identifier: Apache-2.0
// Elements made by hand: text is only ever text, so that nothing a node is called can be markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes ?? {})) {
        if (value === undefined || value === null || value === false)
            continue;
        if (name.startsWith("on"))
            element.addEventListener(name.slice(2), value);
        else
            element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children.flat(Infinity).filter(c => c !== null && c !== undefined && c !== false));
    return element;
}

export function h(tag, attributes, ...children) {
    return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes, ...children) {
    return fill(document.createElementNS(SVG, tag), attributes, children);
}

// Replaces what is in an element, and leaves the focus where it was if what had it is there again (by its id).
export function show(element, ...children) {
    const focused = element.contains(document.activeElement) ? document.activeElement.id : null;
    element.replaceChildren(...children.flat(Infinity).filter(Boolean));
    if (focused)
        document.getElementById(focused)?.focus();
}

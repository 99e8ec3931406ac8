/** Access to the page's elements. Text reaches it as text only: nothing in this page parses HTML. */

/**
 * @template {Element} Kind
 * @param {string} id
 * @param {new () => Kind} kind
 * @returns {Kind}
 */
export function byId(id, kind) {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new Error(`The page has no ${kind.name} with the id ${id}.`);
  return element;
}

/**
 * The marked parts of a copy of a template.
 *
 * @param {ParentNode} root
 * @returns {<Kind extends Element>(name: string, kind: new () => Kind) => Kind}
 */
export function partsOf(root) {
  return (name, kind) => {
    const element = root.querySelector(`[data-part="${name}"]`);
    if (!(element instanceof kind)) throw new Error(`The template has no ${kind.name} that is its ${name}.`);
    return element;
  };
}

/**
 * @param {string} tag
 * @param {string} className
 * @param {...(Node | string)} content
 */
export function make(tag, className, ...content) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...content);
  return element;
}

/**
 * Shows a sentence, or hides its place.
 *
 * @param {HTMLElement} element
 * @param {string} text
 */
export function say(element, text) {
  element.textContent = text;
  element.hidden = text === '';
}

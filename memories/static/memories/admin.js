// The server writes times in the zone that this cookie names.
document.cookie = `timezone=${Intl.DateTimeFormat().resolvedOptions().timeZone}; path=/; max-age=31536000; samesite=lax`;

// A filter that says nothing does not belong in the address.
document.addEventListener("submit", ({ target }) => {
    if (target.id !== "filter-form") return;
    for (const field of target.elements) field.disabled ||= field.name && !field.value;
});

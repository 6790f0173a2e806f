// Search reads an index, which browsers refuse to pages from the disk: what cannot work is not shown.
if (location.protocol === "file:") document.documentElement.classList.add("from-disk");

### What repeats: the catalog, templates, recurring documents, bulk issue.
nav-items = Catalog
nav-templates = Templates
in-use = In use

## Catalog
item-facts = Item
item-new = New item
item-new-do = Add to the catalog
item-list = Items
item-search = Search the catalog
item-search-hint = Description or code
item-none = The catalog is empty
item-none-hint = What you sell often can be filled into a document in one go.
item-code = Code
item-code-hint = Your own, for searching.
item-unit-example = pcs
item-unit-price-hint = Up to four decimal places; negative for a discount.
item-inclusive = Price
item-archived = Archived
item-change-hint = Documents keep the values that they were written with.
item-archive = Archive this item
item-archive-hint = It can no longer be filled into documents. Existing documents stay as they are.
item-archive-do = Archive item
item-add = Add a line from the catalog
item-add-hint = Save other changes to the lines first. With a script running, typing a description of the catalog fills in the rest of its row.
item-add-which = Item
item-add-do = Add line
done-item-registered = Added to the catalog
done-item-archived = Item archived

## Templates
templates = Templates
template-facts = Template
template-new = New template
template-save = Save template
template-list = Templates
template-search = Search templates
template-search-hint = Name or subject
template-none = No templates yet
template-none-hint = Write one here, or save a document as a template.
template-name = Name of the template
template-name-example = Monthly maintenance
template-name-hint = Seen in your company only.
template-due-days = Days until due
template-title-example = {"Maintenance {month}/{year}"}
template-placeholders = {"{year}, {month}, {day}, {prev_month}, {prev_month_year}, {next_month} and {next_month_year} are filled in from the document’s date; in the note and in descriptions as well."}
template-rounding-company = As the company rounds
template-change-hint = Documents that were made from it stay as they are.
template-archived = Archived
template-archive = Archive this template
template-archive-hint = No more documents can be made from it. Existing documents stay as they are.
template-archive-do = Archive template
template-use-title = New document from “{ $name }”
template-date-hint = Placeholders are filled in from this date.
template-from-document = Save as template
template-from-document-title = Save this { $type } as a template
template-from-document-hint = Everything but client and dates. You can put placeholders into it afterwards.
n-lines = { $n ->
    [one] 1 line
   *[other] { $n } lines
 }
done-template-defined = Template saved
done-template-archived = Template archived

## The ledger's words
kind-item-registered = Item added to the catalog
kind-item-changed = Item changed
kind-item-archived = Item archived
kind-template-defined = Template defined
kind-template-changed = Template changed
kind-template-archived = Template archived
object-item = Item
object-template = Template
field-details = Details
field-preset = Content
field-due-days = Days until due

## Problems
problem-item-unknown = No such item
problem-item-unknown-detail = Choose one from the catalog.
problem-item-archived = This item is archived
problem-item-archived-detail = Archived items cannot be changed. Add a new one.
problem-template-unknown = No such template
problem-template-unknown-detail = Choose one from the list.
problem-template-archived = This template is archived
problem-template-archived-detail = Archived templates cannot be changed. Make a new one.
problem-template-unknown-document = No such document
problem-template-unknown-document-detail = Choose one from the list of documents.
problem-template-other-type = The type of a template stays
problem-template-other-type-detail = Make a new template for another type of document.
problem-template-unknown-placeholder = Check what stands in braces
problem-template-unknown-placeholder-detail = {"In braces stand only {year}, {month}, {day}, {prev_month}, {prev_month_year}, {next_month} and {next_month_year}."}
problem-template-bad-due-days = Check the days until due
problem-template-bad-due-days-detail = Enter 0 to 365 days, or nothing.
problem-document-unknown-item = No such item
problem-document-unknown-item-detail = Choose one from the catalog.
problem-document-item-archived = This item is archived
problem-document-item-archived-detail = Choose another from the catalog.
problem-document-unknown-template = No such template
problem-document-unknown-template-detail = Choose one from the list of templates.
problem-document-template-archived = This template is archived
problem-document-template-archived-detail = Choose another template.

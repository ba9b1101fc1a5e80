//! The order of elements in UBL 2.1: what a schema validator looks at. A parent's list is its `xs:sequence`; where it ends
//! in `…` the rest of the sequence is left out, since nothing of it is written.

/// Parents of the same type first, then the sequence.
const SEQUENCES: &[(&str, &str)] = &[
    (
        "Invoice",
        "UBLExtensions UBLVersionID CustomizationID ProfileID ProfileExecutionID ID CopyIndicator UUID IssueDate IssueTime \
         DueDate InvoiceTypeCode Note TaxPointDate DocumentCurrencyCode TaxCurrencyCode PricingCurrencyCode \
         PaymentCurrencyCode PaymentAlternativeCurrencyCode AccountingCostCode AccountingCost LineCountNumeric \
         BuyerReference InvoicePeriod OrderReference BillingReference DespatchDocumentReference ReceiptDocumentReference \
         StatementDocumentReference OriginatorDocumentReference ContractDocumentReference AdditionalDocumentReference \
         ProjectReference Signature AccountingSupplierParty AccountingCustomerParty PayeeParty BuyerCustomerParty \
         SellerSupplierParty TaxRepresentativeParty Delivery DeliveryTerms PaymentMeans PaymentTerms PrepaidPayment \
         AllowanceCharge TaxExchangeRate PricingExchangeRate PaymentExchangeRate PaymentAlternativeExchangeRate TaxTotal \
         WithholdingTaxTotal LegalMonetaryTotal InvoiceLine",
    ),
    ("InvoicePeriod", "StartDate StartTime EndDate EndTime DurationMeasure DescriptionCode Description"),
    ("BillingReference", "InvoiceDocumentReference …"),
    ("InvoiceDocumentReference", "ID CopyIndicator UUID IssueDate …"),
    ("AccountingSupplierParty", "CustomerAssignedAccountID AdditionalAccountID DataSendingCapability Party …"),
    ("AccountingCustomerParty", "CustomerAssignedAccountID SupplierAssignedAccountID AdditionalAccountID Party …"),
    (
        "Party",
        "MarkCareIndicator MarkAttentionIndicator WebsiteURI LogoReferenceID EndpointID IndustryClassificationCode \
         PartyIdentification PartyName Language PostalAddress PhysicalLocation PartyTaxScheme PartyLegalEntity …",
    ),
    (
        "PostalAddress",
        "ID AddressTypeCode AddressFormatCode Postbox Floor Room StreetName AdditionalStreetName BlockName BuildingName \
         BuildingNumber InhouseMail Department MarkAttention MarkCare PlotIdentification CitySubdivisionName CityName \
         PostalZone CountrySubentity CountrySubentityCode Region District TimezoneOffset AddressLine Country",
    ),
    ("Country", "IdentificationCode Name"),
    (
        "PartyTaxScheme",
        "RegistrationName CompanyID TaxLevelCode ExemptionReasonCode ExemptionReason RegistrationAddress TaxScheme",
    ),
    ("TaxScheme", "ID Name TaxTypeCode CurrencyCode"),
    ("PartyLegalEntity", "RegistrationName CompanyID …"),
    (
        "PaymentMeans",
        "ID PaymentMeansCode PaymentDueDate PaymentChannelCode InstructionID InstructionNote PaymentID CardAccount \
         PayerFinancialAccount PayeeFinancialAccount …",
    ),
    ("PaymentTerms", "ID PaymentMeansID PrepaidPaymentReferenceID Note …"),
    ("TaxTotal", "TaxAmount RoundingAmount TaxEvidenceIndicator TaxIncludedIndicator TaxSubtotal"),
    (
        "TaxSubtotal",
        "TaxableAmount TaxAmount CalculationSequenceNumeric TransactionCurrencyTaxAmount Percent BaseUnitMeasure \
         PerUnitAmount TierRange TierRatePercent TaxCategory",
    ),
    (
        "TaxCategory ClassifiedTaxCategory",
        "ID Name Percent BaseUnitMeasure PerUnitAmount TaxExemptionReasonCode TaxExemptionReason TierRange \
         TierRatePercent TaxScheme",
    ),
    (
        "LegalMonetaryTotal",
        "LineExtensionAmount TaxExclusiveAmount TaxInclusiveAmount AllowanceTotalAmount ChargeTotalAmount PrepaidAmount \
         PayableRoundingAmount PayableAmount …",
    ),
    (
        "InvoiceLine",
        "ID UUID Note InvoicedQuantity LineExtensionAmount TaxPointDate AccountingCostCode AccountingCost \
         PaymentPurposeCode FreeOfChargeIndicator InvoicePeriod OrderLineReference DespatchLineReference \
         ReceiptLineReference BillingReference DocumentReference PricingReference OriginatorParty Delivery PaymentTerms \
         AllowanceCharge TaxTotal WithholdingTaxTotal Item Price …",
    ),
    (
        "Item",
        "Description PackQuantity PackSizeNumeric CatalogueIndicator Name HazardousRiskIndicator AdditionalInformation \
         Keyword BrandName ModelName BuyersItemIdentification SellersItemIdentification \
         ManufacturersItemIdentification StandardItemIdentification CatalogueItemIdentification \
         CatalogueDocumentReference ItemSpecificationDocumentReference OriginCountry CommodityClassification \
         TransactionConditions HazardousItem ClassifiedTaxCategory …",
    ),
    ("Price", "PriceAmount BaseQuantity …"),
];

/// Fails unless every element stands where UBL's schema lets it stand. Reads what [`super::well_formed`] has passed.
pub fn in_order(xml: &str) {
    let mut open: Vec<(&str, usize)> = Vec::new();
    for tag in xml.split('<').skip(2) {
        let name = tag.split(['>', ' ']).next().expect("a split has a first part");
        if name.starts_with('/') {
            open.pop();
            continue;
        }
        let local = name.rsplit(':').next().expect("a split has a last part");
        if let Some((parent, at)) = open.last_mut() {
            let sequence = SEQUENCES.iter().find(|(parents, _)| parents.split(' ').any(|name| name == *parent));
            let sequence = sequence.unwrap_or_else(|| panic!("{parent} holds no elements")).1;
            let here = sequence.split_whitespace().position(|name| name == local);
            let here = here.unwrap_or_else(|| panic!("{parent} holds no {local}"));
            assert!(here >= *at, "{local} stands too late in {parent}");
            *at = here;
        }
        open.push((local, 0));
    }
    assert!(open.is_empty());
}

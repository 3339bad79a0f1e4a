"""Clinics, hotels, restaurants: instalments up to twelve, card payments, weekly duty."""

from datetime import date
from typing import Final

from demo import catalogue as item
from demo.sales import Contract, Rule, Update, brl, days_later, fixed_day, line

CONTRACTS: Final = (
    Contract(
        "Clínica Veterinária Bem Querer Ltda.",
        "Suporte de TI",
        (
            Rule("Mensalidade", date(2022, 8, 8), 1, brl("449.50"), fixed_day(18)),
            Rule("Renovação de equipamentos", date(2025, 3, 3), 12, brl("14999.99"), fixed_day(15, parcels=12)),
        ),
    ),
    Contract(
        "Laboratório Diagnose Ltda.",
        "Ambiente clínico",
        (
            Rule(
                "Backup e antivírus",
                date(2021, 3, 20),
                1,
                (line(item.BACKUP, "40", "58.35"), line(item.ANTIVIRUS, "65", "17.20")),
                days_later(10),
                updates=(
                    Update("ipca", date(2022, 3, 20), due=date(2025, 3, 20), service_item_id=item.BACKUP),
                    Update("inpc", date(2022, 3, 20), due=date(2025, 3, 20), service_item_id=item.ANTIVIRUS),
                ),
            ),
        ),
    ),
    Contract(
        "Hospital Vale do Ipê S.A.",
        "Missão crítica",
        (
            Rule(
                "Operação assistida",
                date(2022, 5, 1),
                1,
                brl("28450.00"),
                fixed_day(25),
                updates=(Update("ipca", date(2023, 5, 1), due=date(2025, 5, 1), days_until_update=30),),
            ),
            Rule("Plantão de fim de semana", date(2025, 7, 5), "weekly", brl("890.00"), fixed_day(15)),
            Rule("Expansão da rede", date(2024, 9, 10), 6, brl("9870.00"), fixed_day(20, parcels=6)),
        ),
    ),
    Contract(
        "Academia Corpo em Movimento Ltda.",
        "Controle de acesso",
        (Rule("Mensalidade", date(2024, 4, 30), 1, (line(item.CAMERA, "9", "95.00"),), fixed_day(30), automatic=True),),
    ),
    Contract(
        "Hotel Praia dos Coqueiros Ltda.",
        "Wi-Fi dos hóspedes",
        (
            Rule(
                "Links e rede",
                date(2023, 12, 1),
                1,
                (line(item.LINK, "2", "790.00"), line(item.NETWORK, "1", "480.00")),
                fixed_day(10),
                updates=(Update("igpm", date(2024, 12, 1), due=date(2025, 12, 1)),),
            ),
        ),
    ),
    Contract(
        "Pousada Recanto da Serra ME",
        "Wi-Fi dos hóspedes",
        (Rule("Bimestralidade", date(2024, 10, 31), 2, brl("598.00"), days_later(12)),),
    ),
    Contract(
        "Restaurante Sabor Mineiro Ltda.",
        "Sistema de gestão",
        (Rule("Mensalidade", date(2023, 6, 14), 1, (line(item.LICENCE, "6", "127.00"),), fixed_day(14)),),
    ),
    Contract(
        "Agência de Viagens Rumo Certo Ltda.",
        "Telefonia IP",
        (
            Rule(
                "Mensalidade",
                date(2021, 4, 1),
                1,
                (line(item.PHONE, "14", "41.10"),),
                fixed_day(7),
                updates=(Update("ipcfipe", date(2022, 4, 1), due=date(2025, 4, 1)),),
            ),
        ),
    ),
    Contract(
        "Estúdio Pixel Vivo ME",
        "Hospedagem de sites",
        (
            Rule(
                "Assinatura no cartão",
                date(2024, 11, 11),
                1,
                (line(item.WEBSITE, "5", "74.90"),),
                days_later(1),
                payment_method="payment_gateway",
            ),
        ),
    ),
    Contract(
        "Logística Ágil Cargas Ltda.",
        "Segurança da informação",
        (Rule("Avaliação trimestral", date(2024, 1, 30), 3, brl("5400.00"), fixed_day(29, parcels=3)),),
    ),
)
